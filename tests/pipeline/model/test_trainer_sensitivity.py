import numpy as np
import pytest

from pipeline.model.trainer import tuning_sensitivity

pytestmark = pytest.mark.tensorflow


def test_what_it_reached_has_an_interval() -> None:
    """Clopper and Pearson's interval of 7 of 8 is .473 to .997; of fewer patients it is wider."""
    labels = np.array([1] * 8 + [0] * 4)
    scores = np.array([0.9] * 7 + [0.1] + [0.9] * 4)
    found = tuning_sensitivity(scores, labels, np.arange(12), 0.5)
    paired = tuning_sensitivity(scores, labels, np.arange(12) // 2, 0.5)
    assert paired["lower"] < found["lower"] and paired["estimate"] == found["estimate"]
    assert (found["n"], found["estimate"]) == (8, 7 / 8)
    assert found["lower"] == pytest.approx(0.4735, abs=1e-4)
    assert found["upper"] == pytest.approx(0.9968, abs=1e-4)
