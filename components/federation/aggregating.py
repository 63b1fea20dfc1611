"""Makes one model of what the sites of a round sent.

Statistics of a BatchNormalization are weights like any others: what is released is one model, for
sites that took no part, too, so it cannot keep statistics at home as FedBN does (Li et al. 2021).
Where a network does not train them, they stay as they were, to the last bit.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from components.federation.updates import Update
from components.records.errors import ConfigError, RefusedUpdate
from components.records.text import spell

Robust = Literal["none", "trimmed_mean", "median"]
# What a trimmed mean leaves out at each end, of all sites; at least one.
TRIMMED = 0.2
LEAST_ROBUST = 3  # sites: of two, nobody can say which one lies


def aggregate(
    updates: Sequence[Update],
    weights_before: Sequence[npt.NDArray[Any]],
    *,
    robust: Robust = "none",
    weight_cap: float | None = None,
) -> list[npt.NDArray[Any]]:
    """The weights of the next round; the order of `updates` does not change a bit of them.

    Args:
      updates: checked, of one round, each of another site.
      weights_before: what the round began with. Changes are averaged, not weights, so that a
        weight that no site changed stays the same.
      robust: `none`, the mean by examples; `trimmed_mean` and `median`, coordinate by coordinate,
        where every site counts alike, as its word for its examples is all there is.
      weight_cap: the largest share of a site in the mean, in (0, 1].

    Returns:
      As `weights_before`: same shapes and types, computed in float64.

    Raises:
      RefusedUpdate: a site sent two.
      ConfigError: no update, too few for `robust`, or too few for the cap.

    Source: McMahan et al. (2017), AISTATS, algorithm 1; Yin et al. (2018), ICML, definitions 1
      and 2.
    """
    ordered = sorted(updates, key=lambda update: update.site)
    for one, other in itertools.pairwise(ordered):
        if one.site == other.site:
            raise RefusedUpdate(
                f"site {spell(one.site)}, round {one.round}: got two updates, wanted one; find "
                "out which of the two is the site"
            )
    least = 1 if robust == "none" else LEAST_ROBUST
    if len(ordered) < least:
        raise ConfigError(
            f"{robust}: got updates of {len(ordered)} sites, wanted {least} or more; wait for "
            "more sites"
        )
    shares = [1.0] * len(ordered)
    if robust == "none":
        shares = site_shares({each.site: each.examples for each in ordered}, weight_cap)
    sent = [list(each.weights.values()) for each in ordered]
    return [
        _together(before, [weights[place] for weights in sent], shares, robust)
        for place, before in enumerate(weights_before)
    ]


def _together(
    before: npt.NDArray[Any],
    sent: Sequence[npt.NDArray[Any]],
    shares: Sequence[float],
    robust: Robust,
) -> npt.NDArray[Any]:
    start = before.astype(np.float64)
    changes = np.stack([each.astype(np.float64) - start for each in sent])
    if robust == "none":
        # Added one after the other: a matrix product adds in an order of its own.
        change = sum(share * each for share, each in zip(shares, changes))
    elif robust == "median":
        change = np.median(changes, axis=0)
    else:
        cut = max(1, int(TRIMMED * len(sent)))
        change = np.sort(changes, axis=0)[cut:-cut].mean(axis=0)
    return (start + change).astype(before.dtype)


def site_shares(examples: Mapping[str, int], cap: float | None) -> list[float]:
    """What each site counts in the mean: by its examples, but none above the cap.

    What a site has above it goes to the others by their examples, until none is above.

    Args:
      examples: 1 or more of each site.
      cap: in (0, 1]; None for none.

    Returns:
      Shares that add up to 1, in the order of `examples`.

    Raises:
      ConfigError: so few sites that they cannot add up to 1.
    """
    cap = 1.0 if cap is None else cap
    if cap * len(examples) < 1.0 - 1e-9:
        raise ConfigError(
            f"weight cap: got {cap:g} for {len(examples)} sites, wanted at least "
            f"{1.0 / len(examples):.4g}, or shares cannot add up to 1; raise it, or wait for more "
            "sites"
        )
    capped: set[str] = set()
    while True:
        rest = sum(count for site, count in examples.items() if site not in capped)
        left = 1.0 - cap * len(capped)
        shares = {
            site: cap if site in capped else left * count / rest for site, count in examples.items()
        }
        above = {site for site, share in shares.items() if share > cap + 1e-12} - capped
        if not above:
            return list(shares.values())
        capped |= above
