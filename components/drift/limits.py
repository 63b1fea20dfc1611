"""From where on a shift matters: the drift comparators of the schema, which TFDV reads as well."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.records.errors import ConfigError

JENSEN_SHANNON, L_INFINITY = "jensen_shannon", "l_infinity"

_COMPARATORS = {
    "jensen_shannon_divergence": JENSEN_SHANNON,
    "infinity_norm": L_INFINITY,
}


@dataclass(frozen=True)
class Limit:
    """Attributes:
    measure: jensen_shannon or l_infinity.
    threshold: in [0, 1]; a shift above it matters.
    """

    measure: str
    threshold: float


def read_limits(schema: Path) -> Mapping[str, Limit]:
    """The drift comparators of a TensorFlow Metadata schema in text form, by feature.

    A feature without one has no limit and is not compared. Loads no TensorFlow.

    Raises:
      ConfigError: the schema cannot be read, or a comparator is not one that both TFDV and this
        project compute, or has no threshold in [0, 1].
    """
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    try:
        parsed = text_format.Parse(schema.read_text("utf-8"), schema_pb2.Schema())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise ConfigError(
            f"{schema}: got {' '.join(str(error).split())}, wanted a schema in text form"
        ) from error
    return {
        feature.name: _limit(feature, schema)
        for feature in parsed.feature
        if feature.HasField("drift_comparator")
    }


def _limit(feature: Any, schema: Path) -> Limit:
    named = [field.name for field, _ in feature.drift_comparator.ListFields()]
    if len(named) != 1 or named[0] not in _COMPARATORS:
        raise ConfigError(
            f"{schema}: {feature.name}: drift_comparator: got {' and '.join(named) or 'nothing'}, "
            f"wanted one of {', '.join(_COMPARATORS)}"
        )
    comparator = getattr(feature.drift_comparator, named[0])
    # Written so that NaN is refused too.
    if not (comparator.HasField("threshold") and 0 <= comparator.threshold <= 1):
        got = comparator.threshold if comparator.HasField("threshold") else "nothing"
        raise ConfigError(
            f"{schema}: {feature.name}: {named[0]}.threshold: got {got}, wanted 0 to 1"
        )
    return Limit(_COMPARATORS[named[0]], comparator.threshold)
