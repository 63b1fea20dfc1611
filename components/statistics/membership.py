"""What guesses about who was trained on say of a promise of differential privacy.

An epsilon promises that nobody guesses well. Whoever guesses better than it allows has shown that
the training did not keep it, whatever was computed beforehand.
"""

import numpy as np

from components.records.errors import TooFewCases

# No audit of fewer than some 10^20 guesses could tell an epsilon above it from this one.
LARGEST_EPSILON = 50.0


def epsilon_lower_bound(
    correct: int, guesses: int, members: int, *, delta: float, alpha: float = 0.05
) -> float:
    """The largest epsilon that so many correct guesses rule out.

    Each candidate member was in the training or out of it by a fair coin of its own, all in one
    training, and the guesses were made from what the training gave away.

    Args:
      correct: guesses that were right, 0 <= correct <= guesses.
      guesses: how many were made; how many was settled before anybody looked.
      members: candidates that coins were thrown for, at least `guesses`.
      delta: of the promise, in [0, 1).
      alpha: one-sided error rate: how often a training that keeps its promise gets a bound above
        its epsilon.

    Returns:
      At least 0, which rules out nothing; at most 50.

    Raises:
      TooFewCases: no guess was made.
      ValueError: impossible counts, or a rate out of range.

    Source: theorem 5.2 of Steinke, Nasr and Jagielski (2023), Privacy Auditing with One (1)
    Training Run, NeurIPS 36.
    """
    if not 0 <= correct <= guesses <= members:
        raise ValueError(f"got {correct} correct of {guesses} guesses about {members} members")
    if not (0 <= delta < 1 and 0 < alpha < 0.5):
        raise ValueError(f"got delta {delta} and alpha {alpha}, wanted [0, 1) and (0, 0.5)")
    if guesses == 0:
        raise TooFewCases("privacy audit: no guess was made, wanted at least one")
    low, high = 0.0, LARGEST_EPSILON
    if chance_of_guesses(correct, guesses, members, epsilon=low, delta=delta) > alpha:
        return 0.0
    for _ in range(60):
        middle = (low + high) / 2
        if chance_of_guesses(correct, guesses, members, epsilon=middle, delta=delta) > alpha:
            high = middle
        else:
            low = middle
    return low


def chance_of_guesses(
    correct: int, guesses: int, members: int, *, epsilon: float, delta: float
) -> float:
    """At most so probable are this many correct guesses under (epsilon, delta), in [0, 1].

    Args, Source: as `epsilon_lower_bound`.
    """
    from scipy.stats import binom  # as costly to import as the rest of the gate

    # At least v, v - 1, ..., 0 of the guesses of an epsilon-private randomized response are right.
    right = 1 / (1 + np.exp(-epsilon))
    at_least = binom.sf(np.arange(correct, -1, -1) - 1, guesses, right)
    steps = np.arange(1, correct + 1)
    most = float(np.max((at_least[1:] - at_least[0]) / steps, initial=0.0))
    return float(min(1.0, at_least[0] + 2 * members * delta * most))
