"""Ten weeks of a ward in one go: a season, a new device, a poisoned span, a broken detector, an
improvement, a creep.

Every retraining and every look at what is served is a process of its own, as on a server.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.e2e.ward import Told, Ward, listening

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

MARGIN = 0.08
# Each a little less careful than the last; none by more than the margin allows at once.
CREEP = {7: 0.92, 8: 0.88, 9: 0.84, 10: 0.80}


@dataclass
class Lived:
    """Attributes:
    retrained, watched: what each week's retraining and monitoring said.
    served: the version that served at the end of each week.
    """

    ward: Ward
    told: Told
    retrained: dict[int, dict[str, Any]] = field(default_factory=dict)
    watched: dict[int, dict[str, Any]] = field(default_factory=dict)
    served: dict[int, int] = field(default_factory=dict)

    def week(self, number: int, spec: str, *, served: str | None = None) -> dict[str, Any]:
        """Serves the week's cases, looks at them, and retrains on them once they have labels."""
        if self.ward.champion():
            self.ward.serve(number, served or spec)
            self.watched[number] = self.ward.monitor()
        self.ward.deliver(number, spec)
        done = self.ward.retrain("--trigger", "schedule", "--why", f"week {number}")
        self.retrained[number] = done
        champion = self.ward.champion()
        self.served[number] = champion.version if champion else 0
        return done


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    yield from listening()


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory, told: Told) -> Lived:
    ward = Ward(tmp_path_factory.mktemp("ward"), webhook=told.url)
    life = Lived(ward, told)
    life.week(1, "phantom:n=1400,seed=101")
    ward.approve_first()
    life.retrained[1] = ward.retrain("--trigger", "manual", "--why", "golden is approved")
    life.served[1] = ward.champion().version  # type: ignore[union-attr]
    life.week(2, "phantom:n=400,seed=102")
    life.week(3, "phantom:n=500,seed=103,season=winter")
    life.week(4, "phantom:n=500,seed=104,vendor=0.5")
    life.week(5, "phantom:n=3000,seed=105,label_noise=0.9", served="phantom:n=400,seed=105")
    # A person reads the notice, looks at the span, and takes it away.
    (ward.spans / "span-0005").rename(ward.root / "poisoned-0005")
    ward.configure(epochs=16, filters=[8, 16, 32, 64])
    life.week(6, "phantom:n=1500,seed=106", served="phantom:n=500,seed=126,fault=Aster")
    for week, target in CREEP.items():
        ward.configure(target_sensitivity=target)
        life.week(week, f"phantom:n=300,seed={100 + week}")
    return life


def test_the_first_model_waits_for_a_person_and_the_second_improves_by_itself(
    lived: Lived,
) -> None:
    assert lived.told.kinds()[:2] == ["inconclusive", "released"]
    assert lived.retrained[1]["state"] == "released"


def test_a_season_a_device_and_a_broken_one_are_told_apart_by_what_moved(lived: Lived) -> None:
    winter, device = lived.watched[3]["drift"], lived.watched[4]["drift"]
    broken = lived.watched[6]["drift"]
    assert broken["reading"]["kind"] == "acquisition"
    assert broken["reading"]["where"] == ["device=Aster"]
    assert winter["reading"]["kind"] == "population"
    assert device["reading"]["kind"] == "new_source"
    assert "device=Dorado" in device["reading"]["where"]
    assert not any(shift["kind"] == "quality" for shift in moved(winter))
    assert {shift["name"] for shift in moved(device)} >= {"device"}
    assert lived.watched[2]["drift"]["state"] == "steady"


def moved(drift: dict[str, Any]) -> list[dict[str, Any]]:
    return [shift for shift in drift["shifts"] if shift["state"] == "moved"]


def test_the_poisoned_span_is_not_released_and_a_person_is_told(lived: Lived) -> None:
    assert lived.retrained[5]["state"] in ("blocked", "inconclusive")
    assert lived.served[5] == lived.served[4]
    (notice,) = [n for n in lived.told.notices if n["facts"].get("run_id") == run_id(lived, 5)]
    assert notice["event"] == lived.retrained[5]["state"]
    assert any("sensitivity" in line or "specificity" in line for line in notice["lines"])


def run_id(lived: Lived, week: int) -> str:
    return str(lived.retrained[week]["run_id"])


def test_the_improvement_is_released(lived: Lived) -> None:
    assert lived.retrained[6]["state"] == "released"
    assert lived.served[6] > lived.served[5]


def test_golden_stops_what_creeps_past_the_champion(lived: Lived) -> None:
    steps = timeline(lived)
    stopped = [step for step in steps if step["only_golden"]]
    assert stopped, [(step["why"], step["state"], step["reasons"]) for step in steps]
    for step in steps:
        margin = step["margins"].get("sensitivity")
        if step["state"] == "released" and margin:
            assert step["figures"]["sensitivity"]["estimate"] >= margin["least"]
    last = lived.ward.champion()
    assert last is not None and lived.served[10] == last.version
    # Without golden the last of them would have been compared with its predecessor alone.
    lowest = min(step["figures"]["sensitivity"]["estimate"] for step in stopped)
    golden = next(step["margins"]["sensitivity"]["golden"] for step in stopped)
    assert lowest < golden - MARGIN / 2


def timeline(lived: Lived) -> list[dict[str, Any]]:
    where = ("--workspace", lived.ward.workspace.root)
    found: list[dict[str, Any]] = json.loads(lived.ward.ran("timeline", *where, "--format", "json"))
    return found


def test_the_page_says_what_was_released_when_and_why(lived: Lived) -> None:
    page = lived.ward.root / "timeline.html"
    where = ("--workspace", lived.ward.workspace.root)
    lived.ward.ran("timeline", *where, "--format", "html", "--output", page)
    text = page.read_text()
    for version in {v for v in lived.served.values()}:
        assert f"released as version {version}" in text
    assert text.count("why: week") >= 9
    assert "stopped by golden alone" in text
    assert "sharpness in device=Dorado" in text and "aetiology, age_band" in text


def test_every_record_still_fits_at_the_end(lived: Lived) -> None:
    where = ("--workspace", lived.ward.workspace.root)
    assert "none altered" in lived.ward.ran("ledger", "verify", *where)
    lived.ward.ran("lineage", "verify", "--all", *where)
    assert "independent" in lived.ward.ran("lineage", "independence", lived.served[10], *where)


def test_every_look_at_what_is_served_left_its_page(lived: Lived) -> None:
    reports = sorted((lived.ward.workspace.root / "monitoring").glob("*/report.html"))
    assert len(reports) == len(lived.watched)
