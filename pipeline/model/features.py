"""What the model reads from a record, in one place for Transform, Trainer and serving."""

import tensorflow as tf

from components.cases.example import IMAGE, LABEL

# The prepared image that Transform hands to the network: float32 (size, size, 1) in [0, 1].
PIXELS = "pixels"

# What a client of the released model gets: the score, and the call at the operating point.
PROBABILITY = "probability"
# And, by `explain`, where the score came from.
HEATMAP = "heatmap"
# What exporters get: the score before its sigmoid.
LOGIT = "logit"

RECORD_SPEC = {
    IMAGE: tf.io.FixedLenFeature([], tf.string),
    LABEL: tf.io.FixedLenFeature([], tf.int64),
}
SERVING_SPEC = {IMAGE: RECORD_SPEC[IMAGE]}
