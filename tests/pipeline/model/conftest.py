"""Keras 3, as the graph and the trainer set it, before a test imports TensorFlow Transform."""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "0"
