"""Where a model calls a case positive, chosen on the tuning split in whatever runtime scored it."""

import numpy as np

from components.records.errors import NothingEvaluated


def choose_operating_point(
    scores: np.ndarray, labels: np.ndarray, *, target_sensitivity: float
) -> float:
    """The highest score at or above which the target share of positives is called.

    Args:
      scores: float, shape (n,), in [0, 1]; the tuning split's.
      labels: shape (n,), 1 positive, 0 negative.
      target_sensitivity: in (0, 1).

    Returns:
      A threshold midway between the last positive that must be called and the next lower
      score, so that rounding in another runtime does not flip that positive.

    Raises:
      NothingEvaluated: no positive, or a score that is not finite.
    """
    positives = np.sort(scores[labels == 1].astype(np.float64))[::-1]
    if positives.size == 0 or not np.isfinite(scores).all():
        raise NothingEvaluated(
            f"operating point: got {positives.size} tuning positives and "
            f"{int((~np.isfinite(scores)).sum())} scores that are not finite, wanted at least one "
            "positive and finite scores; check the tuning split and the training log"
        )
    last_called = positives[needed_positives(positives.size, target_sensitivity) - 1]
    lower = scores[scores < last_called]
    next_lower = float(lower.max()) if lower.size else 0.0
    return float((last_called + next_lower) / 2.0)


def needed_positives(positives: int, target_sensitivity: float) -> int:
    """How many of so many positives have to be called for the target; at least one."""
    # 0.55 * 100 is 55.00000000000001, and 55 positives are enough.
    return max(1, int(np.ceil(target_sensitivity * positives - 1e-9)))
