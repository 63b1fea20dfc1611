"""Planted results, so that page and pictures are tested without training anything."""

from collections import Counter

from tests.measure.grid import Simulated, simulated
from tests.measure.jobs import HONEST, NEW_PATIENTS, PHANTOM
from tests.measure.judging import Group, Judged, Pairs
from tests.measure.results import DataResults, Provable, Results

CIRRUS = "specificity[device=Cirrus]"


def judged(
    verdict: str = "PASS",
    *,
    family: str = HONEST,
    grade: str = "",
    loss: float = 0.01,
    blocking: tuple[str, ...] = (),
) -> Judged:
    return Judged(
        family=family,
        grade=grade,
        seed=1,
        verdict=verdict,
        estimates={"sensitivity": 0.95, "specificity": 0.97 - loss, "auc": 0.99},
        slice_estimates={CIRRUS: 0.93 - loss, "sensitivity[device=Cirrus]": 0.97},
        losses={CIRRUS: (loss, loss + 0.03)},
        champion_losses={},
        levels={CIRRUS: (0.93 - loss, 0.90 - loss)},
        blocking=blocking,
    )


def damaged(verdict: str, family: str, grade: str, *blocking: str, count: int = 3) -> Group:
    one = judged(verdict, family=family, grade=grade, loss=0.2, blocking=blocking)
    return Group(family, grade, (one,) * count)


def data_results(*damage: Group, data: str = PHANTOM, positives: int = 1016) -> DataResults:
    honest = (
        Group(HONEST, "", (judged(),) * 20),
        Group(NEW_PATIENTS, "", (judged(family=NEW_PATIENTS), judged("FAIL", family=NEW_PATIENTS))),
    )
    return DataResults(
        data=data,
        cases=2000,
        positives=positives,
        policy_sha256="ab" * 32,
        golden_sha256="cd" * 32,
        groups=(*honest, *damage),
        pairs=Pairs(Counter({"PASS": 379, "INCONCLUSIVE": 1}), {CIRRUS: 0.061}),
        provable=(Provable(CIRRUS, 207, 0.22, 33, 0.999), Provable("x[y]", 20, 0.02, None, 0.0)),
        limits={CIRRUS: 0.70},
        margins={CIRRUS: {"champion": 0.25, "golden": 0.22}},
    )


def small_simulation() -> Simulated:
    return simulated(replications=20, chains=4)


def results(*damage: Group, simulation: Simulated) -> Results:
    return Results(simulation, (data_results(*damage),))
