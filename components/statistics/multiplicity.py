"""Which of several slices changed, when looking at many finds something by chance alone.

The verdict needs none of this: all checks must pass, which no number of checks makes easier.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's step-down adjustment: calling those at or below `a` errs anywhere with at most `a`.

    Args:
      p_values: shape (n_tests,), in [0, 1], whatever their dependence.

    Returns:
      Adjusted p values in the same order, in [0, 1]; empty for none.

    Raises:
      ValueError: a p value is NaN or outside [0, 1].

    Source: Holm (1979), Scandinavian Journal of Statistics 6:65-70.
    """
    p = np.asarray(p_values, np.float64)
    # Written so that NaN is refused too.
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise ValueError("holm: wanted p values in [0, 1], shape (n_tests,)")
    order = np.argsort(p, kind="stable")
    stepped = p[order] * np.arange(p.size, 0, -1)
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted
