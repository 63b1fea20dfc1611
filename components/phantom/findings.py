"""What a radiologist would report on a synthetic chest, and what only looks like it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from components.phantom.arithmetic import Array, Draws, falloff, step, tubes

# Drawn per patient, by position: inserting a name changes every case.
FINDING_DRAWS = (
    "nipple", "nipple_x", "nipple_y",
    "side", "severity", "finding_x", "finding_y", "finding_width", "finding_height",
)  # fmt: skip


@dataclass(frozen=True)
class Thorax:
    """Landmarks of a batch that shadows are placed by; coordinates as in phantom_image."""

    x: Array  # (b, 1, w)
    y: Array  # (b, h, 1)
    dome: Array  # (b, 1, w): y of the diaphragm
    lung: Array  # (b, h, w): 1 where air dims the image, 0 outside and behind the heart
    texture: Array  # (b, h, w): smooth noise in [0, 1]
    vessels: Array  # (b, h, w): a fan of thin lines in [0, 1]
    hilum: Array  # (b, h, w): 1 at the lung roots, falling off outwards


def _one_side(patient: Draws, thorax: Thorax) -> Array:
    """1 on the side of the finding, 0 on the other, shape (b, 1, w)."""
    return ((thorax.x < 0) == patient.chance("side", 0.5)).astype(np.float64)


def _consolidation(patient: Draws, thorax: Thorax) -> Array:
    """A ragged opacity in one zone of one lung, pierced by its airways."""
    wide = patient.uniform("finding_width", 0.24, 0.40)
    high = patient.uniform("finding_height", 0.24, 0.42)
    across = (np.abs(thorax.x) - patient.uniform("finding_x", 0.28, 0.58)) / wide
    along = (thorax.y - patient.uniform("finding_y", -0.30, 0.34)) / high
    inside = 1.35 - across * across - along * along + 1.8 * (thorax.texture - 0.5)
    patch = step(inside * 0.8) * (0.8 + 0.4 * thorax.texture) * (1.0 - 0.35 * thorax.vessels)
    amount = patient.uniform("severity", 0.16, 0.45)
    return amount * _one_side(patient, thorax) * patch


def _interstitial(patient: Draws, thorax: Thorax) -> Array:
    """Thickened lines in both lungs, more around the lung roots."""
    aside = np.abs(thorax.x)
    rising = tubes(7.0 * (aside + thorax.y) + 4.0 * thorax.texture, 0.5)
    falling = tubes(7.0 * (aside - thorax.y) - 4.0 * thorax.texture, 0.5)
    lines = 0.20 * (thorax.vessels + rising + falling) + 0.12 * thorax.hilum + 0.03
    severity = patient.uniform("severity", 0.4, 1.0)
    return severity * (0.5 + 0.5 * thorax.hilum) * lines


def _effusion(patient: Draws, thorax: Thorax) -> Array:
    """Fluid above one diaphragm, climbing the chest wall: from a blunted angle to a white base."""
    severity = patient.uniform("severity", 0.35, 1.0)
    outward = np.maximum(np.abs(thorax.x) - 0.35, 0.0)
    surface = thorax.dome - 0.02 - severity * (0.50 + 3.0 * outward * outward)
    fluid = step((thorax.y - surface) * 9.0)
    return (0.32 + 0.12 * severity) * _one_side(patient, thorax) * fluid


def _nipples(patient: Draws, thorax: Thorax) -> Array:
    """Two small round shadows that are no nodules."""
    across = np.abs(thorax.x) - patient.uniform("nipple_x", 0.40, 0.52)
    along = thorax.y - patient.uniform("nipple_y", 0.12, 0.28)
    return 0.10 * step(1.2 - across * across * 260.0 - along * along * 260.0)


def _skin_fold(image: Draws, thorax: Thorax) -> Array:
    """A slanting edge, dense on one side, that is no pleura."""
    slant = image.centred("fold_x", 0.6) + image.centred("fold_slope", 0.5) * thorax.y
    beyond = thorax.x - slant
    return 0.09 * step(beyond * 25.0) * falloff(np.maximum(beyond, 0.0), 0.10)


_Shadow = Callable[[Draws, Thorax], Array]

_FINDINGS: dict[str, _Shadow] = {
    "consolidation": _consolidation,
    "interstitial": _interstitial,
    "effusion": _effusion,
}
AETIOLOGIES = tuple(_FINDINGS)


def add_findings(
    density: Array, aetiologies: Sequence[str], patient: Draws, thorax: Thorax
) -> None:
    """Adds what a radiologist would report, in place."""
    for aetiology, finding in _FINDINGS.items():
        _add(density, finding, patient, thorax, [name == aetiology for name in aetiologies])


def add_mimics(density: Array, patient: Draws, image: Draws, thorax: Thorax) -> None:
    """Adds what looks like a finding in the healthy and the ill alike, in place."""
    for shadow, draws, name, chance in (
        (_nipples, patient, "nipple", 0.25),
        (_skin_fold, image, "skin_fold", 0.15),
    ):
        _add(density, shadow, draws, thorax, draws.chance(name, chance).ravel().tolist())


def _add(
    density: Array, shadow: _Shadow, draws: Draws, thorax: Thorax, present: Sequence[bool]
) -> None:
    rows = [row for row, here in enumerate(present) if here]
    if rows:
        some = Thorax(*(getattr(thorax, field.name)[rows] for field in fields(Thorax)))
        density[rows] += shadow(draws.only(rows), some) * some.lung
