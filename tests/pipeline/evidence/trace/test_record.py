"""What each component of the graph did, in words."""

import pytest

from components.records.export import KINDS, TFLITE_FLOAT, TFLITE_FLOAT16
from pipeline.evidence.trace.record import STEPS, exported_kind, step_words


@pytest.mark.parametrize("kind", KINDS)
def test_an_exporter_and_its_scorer_name_the_kind(kind: str) -> None:
    name = kind.title().replace("_", "")  # as the graph calls them
    assert exported_kind(f"{name}Exporter") == exported_kind(f"{name}Scorer") == kind
    assert step_words(f"{name}Exporter") == f"converting to {kind}"
    assert step_words(f"{name}Scorer") == f"scoring as {kind}"


def test_no_other_component_does() -> None:
    assert not any(map(exported_kind, STEPS))
    assert exported_kind("TfliteFloatScorer") == TFLITE_FLOAT != TFLITE_FLOAT16
