"""Cohen's kappa: agreement of two who judge the same cases, beyond what chance would give."""

from collections.abc import Sequence


def cohens_kappa(one: Sequence[bool], other: Sequence[bool]) -> float | None:
    """(p_observed - p_chance) / (1 - p_chance), in [-1, 1].

    Args:
      one, other: what each said of the same cases, in the same order.

    Returns:
      None where it is undefined: no case, or both said the same one thing of every case.

    Source: Cohen (1960), Educational and Psychological Measurement 20:37-46.
    """
    if len(one) != len(other):
        raise ValueError(f"kappa: got {len(one)} and {len(other)} judgements, wanted as many")
    n, a, b = len(one), sum(one), sum(other)
    by_chance = a * b + (n - a) * (n - b)  # times n squared, so that all is whole numbers
    if by_chance == n * n:
        return None
    return (n * sum(map(bool.__eq__, one, other)) - by_chance) / (n * n - by_chance)
