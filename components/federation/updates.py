"""What a site sends after a round of federated training, and why it may be refused.

A mean takes in whatever it is given: one number that is not finite, or one site that claims a
million examples, is a model lost. So an update is checked before anything is computed with it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from components.records.errors import RefusedUpdate
from components.records.text import first_few, spell

Weights = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Update:
    """One site's weights after one round.

    Attributes:
      round: counted from 1.
      weights: by name, in the order of the network.
      examples: images that the site says it trained on.
      positives: how many of them are positive; None where the site does not say.
    """

    site: str
    round: int
    weights: Weights
    examples: int
    positives: int | None = None

    @cached_property
    def sha256(self) -> str:
        """Of the weights alone, as `hash_weights`."""
        return hash_weights(self.weights)


def hash_weights(weights: Weights) -> str:
    """SHA-256 (hex) over names, types, shapes and values, in their order."""
    digest = hashlib.sha256()
    for name, array in weights.items():
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        digest.update(f"{name}\0{array.dtype.name}\0{list(array.shape)}\0".encode())
        digest.update(little.tobytes())
    return digest.hexdigest()


def check_update(
    update: Update,
    expected: Weights,
    registered_examples: int,
    norm_bound: float | None,
    *,
    number: int | None = None,
) -> None:
    """Refuses an update that is not one of this round, of this network and of this site's size.

    Args:
      expected: the weights that the round began with, by name and in order.
      registered_examples: how many training images the site registered with.
      norm_bound: how far all weights together may lie from `expected`, as Euclidean distance; None
        for any distance.
      number: the round that is asked for; None takes any.

    Raises:
      RefusedUpdate: one line with the site, what is wrong, what it sent and what was wanted.
    """
    if number is not None and update.round != number:
        raise _refusal(update, "round", update.round, number)
    _check_examples(update, registered_examples)
    _check_names(update, expected)
    for name, wanted in expected.items():
        got = update.weights[name]
        if got.shape != wanted.shape:
            raise _refusal(update, f"shape of {name}", got.shape, wanted.shape)
        if got.dtype != wanted.dtype:
            raise _refusal(update, f"type of {name}", got.dtype, wanted.dtype)
        if broken := int((~np.isfinite(got)).sum()):
            raise _refusal(update, name, f"{broken} values that are not finite", "finite values")
    if norm_bound is not None:
        moved = distance(update.weights, expected)
        if not moved <= norm_bound:
            raise _refusal(update, "norm of the change", f"{moved:.4g}", f"at most {norm_bound:g}")


def distance(weights: Weights, before: Weights) -> float:
    """Euclidean distance over all weights together, 0 or more."""
    squares = (
        np.square(weights[name].astype(np.float64) - start).sum() for name, start in before.items()
    )
    return float(np.sqrt(sum(squares)))


def _check_examples(update: Update, registered: int) -> None:
    examples, positives = update.examples, update.positives
    if type(examples) is not int or not 1 <= examples <= registered:
        wanted = f"1 to the {registered} that the site registered with"
        raise _refusal(update, "examples", repr(examples), wanted)
    if positives is not None and not (type(positives) is int and 0 <= positives <= examples):
        raise _refusal(update, "positives", repr(positives), f"0 to its {examples} examples")


def _check_names(update: Update, expected: Weights) -> None:
    sent, wanted = list(update.weights), list(expected)
    if missing := set(wanted) - set(sent):
        raise _refusal(update, "weights", f"none of {first_few(missing)}", f"all {len(wanted)}")
    if unknown := set(sent) - set(wanted):
        known = f"the {len(wanted)} of the network alone"
        raise _refusal(update, "weights", f"the unknown {first_few(unknown)}", known)
    if sent != wanted:
        place = next(at for at, (one, other) in enumerate(zip(sent, wanted)) if one != other)
        raise _refusal(update, f"weights, place {place}", spell(sent[place]), wanted[place])


def _refusal(update: Update, what: str, got: object, wanted: object) -> RefusedUpdate:
    return RefusedUpdate(
        f"site {spell(update.site)}, round {update.round}: {what}: got {got}, wanted {wanted}; "
        "leave the site out of this round, and find out what it runs"
    )
