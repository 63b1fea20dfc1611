"""The grid that is simulated, and what comes of it."""

from dataclasses import dataclass

from tests.measure.simulation import Losses, Shares, false_pass, losses_in_a_row, shares

ALPHA = 0.025
MARGIN = 0.05
REPLICATIONS = 4000
CHAINS = 2000
SEED = 20
SIZES = (100, 234, 390, 1000, 2000, 5000)
DISCORDANCES = (0.01, 0.02, 0.04, 0.10)
DIFFERENCES = (MARGIN / 2, 0.0, -MARGIN / 2, -MARGIN, -1.5 * MARGIN)
SLICES = (1, 5, 20)
SHOWN_DISCORDANCE = 0.04  # in the picture that shows one only
MARGIN_SIZES = (80, 100, 150, 234, 300, 390, 500, 700, 1000, 1500, 2000, 3000, 5000)
STEPS = (MARGIN / 4, MARGIN / 2)
CHAIN_SIZES = (390, 1000, 5000)
CHAIN_DISCORDANCE = 0.02


@dataclass(frozen=True)
class Cell:
    """One point of the grid."""

    n: int
    discordance: float
    difference: float
    slices: int
    shares: Shares


@dataclass(frozen=True)
class AtMargin:
    """The probability of PASS at a true loss of exactly the margin, against one baseline."""

    n: int
    discordance: float
    probability: float


@dataclass(frozen=True)
class Simulated:
    """Everything that was computed without a model."""

    cells: tuple[Cell, ...]
    at_margin: tuple[AtMargin, ...]
    losses: tuple[Losses, ...]

    def cell(self, n: int, discordance: float, difference: float, slices: int) -> Shares:
        wanted = (n, discordance, difference, slices)
        (found,) = [
            cell.shares
            for cell in self.cells
            if (cell.n, cell.discordance, cell.difference, cell.slices) == wanted
        ]
        return found


def simulated(*, replications: int = REPLICATIONS, chains: int = CHAINS) -> Simulated:
    """The whole grid; a minute or so."""
    points = [
        (n, discordance, difference, slices)
        for n in SIZES
        for discordance in DISCORDANCES
        for difference in DIFFERENCES
        for slices in SLICES
    ]
    cells = [
        Cell(*point, _shares(*point, replications=replications, seed=SEED + place))
        for place, point in enumerate(points)
    ]
    at_margin = [
        AtMargin(n, d, false_pass(n=n, discordance=d, margin=MARGIN, alpha=ALPHA))
        for d in DISCORDANCES
        for n in MARGIN_SIZES
    ]
    losses = [
        losses_in_a_row(
            n=n,
            discordance=CHAIN_DISCORDANCE,
            step=step,
            margin=MARGIN,
            alpha=ALPHA,
            replications=chains,
            seed=SEED,
        )
        for step in STEPS
        for n in CHAIN_SIZES
    ]
    return Simulated(tuple(cells), tuple(at_margin), tuple(losses))


def _shares(
    n: int, discordance: float, difference: float, slices: int, *, replications: int, seed: int
) -> Shares:
    """A gain is in every slice, a loss in one: slices are there to find that."""
    return shares(
        n=n,
        discordance=discordance,
        difference=difference,
        margin=MARGIN,
        slices=slices,
        worse_slices=1 if difference < 0 else None,
        alpha=ALPHA,
        replications=replications,
        seed=seed,
    )
