"""The record layout: how a case becomes a `tf.train.Example`, and the names of its features."""

from collections.abc import Mapping
from dataclasses import fields

import tensorflow as tf

from components.cases.images import Quality, canonical_png
from components.records.case import Case

IMAGE = "image"
ORIGINAL = "original"
LABEL = "label"
CASE_ID = "case_id"
PATIENT_ID = "patient_id"
QUALITY = tuple(field.name for field in fields(Quality))


def serialized_example(case: Case, quality: Quality, *, original: bool = False) -> bytes:
    """The case as a serialized Example; attributes become features of their own name.

    Its image is the canonical one. Quality features say of an image what TFDV cannot: it sees
    bytes, not pixels.

    Args:
      original: whether to keep the source's own bytes, where they are others, so that a model can
        be asked whether it sees the same in them.
    """
    image = canonical_png(case.image)
    features: dict[str, tf.train.Feature] = {
        name: _bytes(value) for name, value in attributes_of(case).items()
    }
    features[IMAGE] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))
    if original and image is not case.image:
        features[ORIGINAL] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[case.image]))
    features[LABEL] = tf.train.Feature(int64_list=tf.train.Int64List(value=[case.label]))
    features[CASE_ID] = _bytes(case.case_id)
    features[PATIENT_ID] = _bytes(case.patient_id)
    for name in QUALITY:
        value = float(getattr(quality, name))
        features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
    message = tf.train.Example(features=tf.train.Features(feature=features))
    return bytes(message.SerializeToString(deterministic=True))


def attributes_of(case: Case) -> Mapping[str, str]:
    """The case's attributes without those that would shadow a feature of the layout."""
    reserved = {IMAGE, ORIGINAL, LABEL, CASE_ID, PATIENT_ID, *QUALITY}
    return {name: value for name, value in case.attributes.items() if name not in reserved}


def _bytes(text: str) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode("utf-8")]))
