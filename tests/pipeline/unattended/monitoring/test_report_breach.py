"""What follows from a breach: news or not, a retraining or not."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from components.drift.findings import MOVED, STEADY, Chart, Drift
from components.records.ledger.ledger import Entry
from pipeline.settings.sections import MonitoringConfig
from pipeline.unattended.monitoring.report import Breach, moved_names, weigh
from tests.components.drift.page_making import drift, number_shift
from tests.pipeline.unattended.monitoring.making import NOW, stamp

MODEL, OTHER = "ab" * 32, "cd" * 32
RETRAIN = MonitoringConfig(retrain=True, cooldown_days=7)


class Looks:
    """Looks at the same model, each recorded where it is news."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.entries: list[Entry] = []

    def look(
        self,
        *moved: str,
        days: float = 0,
        config: MonitoringConfig = MonitoringConfig(),  # noqa: B008 - frozen
        model: str = MODEL,
        day: float | None = None,
    ) -> Breach:
        """Args:
        days: after NOW, when somebody looks.
        day: after NOW, when the window ends; by default the same.
        """
        found = drifted(*moved)
        ends = stamp(NOW + timedelta(days=days if day is None else day))
        found, now = replace(found, last=ends), NOW + timedelta(days=days)
        breach = weigh(found, self.entries, config, reference_sha256=model, root=self.root, now=now)
        if not breach.known:
            self._record(breach, ends, stamp(now), model)
        return breach

    def _record(self, breach: Breach, ends: str, at: str, model: str) -> None:
        report = self.root / f"{len(self.entries)}.json"
        report.write_text(json.dumps({"reference": {"sha256": model}}))
        body = {
            "report": report.name,
            "last": ends,
            "moved": list(breach.moved),
            "retraining": breach.retrain,
        }
        self.entries.append(Entry(1, at, "drift", "casegate", body, "", ""))


@pytest.fixture
def looks(tmp_path: Path) -> Looks:
    return Looks(tmp_path)


def drifted(*moved: str) -> Drift:
    shifts = tuple(number_shift(name, MOVED) for name in moved)
    return replace(drift(charts=False), shifts=(*shifts, number_shift("width", STEADY)))


def test_what_moved_is_named_once_with_the_charts_that_signal() -> None:
    charts = (
        Chart("sensitivity", 0.9, (), "p-chart", signal=True),
        Chart("specificity", 0.9, (), "p-chart", signal=True),
        Chart("precision", 0.9, (), "p-chart", signal=False),
    )
    found = replace(drifted("score", "mean", "sensitivity"), charts=charts)
    assert moved_names(found) == ("mean", "score", "sensitivity", "specificity")


def test_less_than_is_known_is_no_news_and_more_is(looks: Looks) -> None:
    names = [["device"], ["device", "mean"], ["mean"], ["site"], ["device"]]
    assert [looks.look(*moved).known for moved in names] == [False, False, True, False, True]


def test_the_next_day_and_another_model_are_news(looks: Looks) -> None:
    assert not looks.look("device").known
    assert looks.look("device", days=0.4).known
    assert not looks.look("device", model=OTHER).known
    assert not looks.look("device", days=1).known


def test_news_is_by_the_windows_day_and_not_by_the_day_of_the_look(looks: Looks) -> None:
    assert not looks.look("device").known
    assert looks.look("device", days=3, day=0).known


def test_a_breach_whose_report_is_gone_is_news_again(looks: Looks) -> None:
    looks.look("device")
    (looks.root / "0.json").unlink()
    assert not looks.look("device").known
    (looks.root / "1.json").write_text("[]")
    assert not looks.look("device").known


def test_nobody_retrains_unasked(looks: Looks) -> None:
    breach = looks.look("device")
    assert not breach.retrain
    assert breach.words == "No retraining is started: monitoring.retrain is off."


def test_one_retraining_is_started_per_cooldown(looks: Looks) -> None:
    days = [0, 0.1, 3, 6.99, 7, 8, 14]
    assert [looks.look("device", days=day, config=RETRAIN).retrain for day in days] == [
        True, False, False, False, True, False, True,
    ]  # fmt: skip
    waiting = looks.look("mean", days=15, config=RETRAIN)
    assert "wait until 2026-03-22 12:00 UTC" in waiting.words


def test_a_longer_cooldown_counts_from_the_last_retraining(looks: Looks) -> None:
    short = replace(RETRAIN, cooldown_days=1)
    assert [looks.look("device", days=day, config=short).retrain for day in (0, 2)] == [True] * 2
    assert "wait until 2026-03-10 12:00 UTC" in looks.look("device", days=3, config=RETRAIN).words


def test_without_cooldown_every_look_retrains_and_is_told_once(looks: Looks) -> None:
    config = replace(RETRAIN, cooldown_days=0)
    found = [looks.look("device", config=config) for _ in range(3)]
    assert [one.retrain for one in found] == [True] * 3
    assert [one.known for one in found] == [False, True, True]


def test_a_breach_that_started_nothing_does_not_begin_the_cooldown(looks: Looks) -> None:
    assert not looks.look("device").retrain
    started = looks.look("device", config=RETRAIN)
    assert started.retrain and not started.known  # or nobody would know of the cool-down
    assert not looks.look("device", config=RETRAIN).retrain


def test_a_clock_put_back_a_little_starts_no_second_one(looks: Looks) -> None:
    assert looks.look("device", config=RETRAIN).retrain
    assert not looks.look("device", days=-0.5, config=RETRAIN).retrain


def test_an_entry_from_a_clock_far_ahead_blocks_nothing_for_ever(looks: Looks) -> None:
    assert looks.look("device", days=400, config=RETRAIN).retrain
    assert looks.look("device", config=RETRAIN).retrain
    assert not looks.look("device", days=1, config=RETRAIN).retrain


def test_the_cooldown_is_the_workspaces_and_not_the_models(looks: Looks) -> None:
    assert looks.look("device", config=RETRAIN).retrain
    assert not looks.look("device", config=RETRAIN, model=OTHER).retrain
