"""An amendment from the command's request to the last byte written, and every way to die on it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.golden import load_golden, save_golden
from components.baselines.scores import aligned
from components.cases.lock import lock_source
from components.cases.sources import open_source
from components.records.errors import ConfigError, IntegrityError, SourceError
from components.records.files import sha256_file, sha256_tree
from components.records.ledger.ledger import Ledger
from pipeline.governance import amendment
from pipeline.governance.amendment import Amendment, AmendmentRequest, amend
from pipeline.settings.workspace import Workspace
from tests.components.cases.making import write_npz
from tests.components.gate.test_decide import judged
from tests.components.planting import approved, scored, sha
from tests.dying import killed_before_each_change
from tests.refusing import refused


@dataclass(frozen=True)
class Governed:
    """A baseline of ten cases, chest-test-00000 (negative) to 00009, and golden on it."""

    root: Path

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.root / "workspace")

    @property
    def baseline(self) -> Path:
        return self.root / "chest"

    @property
    def path(self) -> Path:
        return self.baseline / "case_set.json"

    @property
    def case_set(self) -> CaseSet:
        return load_case_set(self.path)

    @property
    def larger(self) -> str:
        """The source with ten cases more."""
        return str(self.root / "larger" / "chest.npz")

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.workspace.ledger)

    def amend(self, **changes: Any) -> Amendment:
        given = {"case_set": str(self.path), "by": "B. Reader", "reason": "second reading"}
        return amend(self.workspace.root, AmendmentRequest(**{**given, **changes}))

    def untouched(self) -> bool:
        return not (self.baseline / "history").exists() and not self.ledger.entries()


MODEL = b"golden's model"


@pytest.fixture
def governed(tmp_path: Path) -> Governed:
    found = Governed(tmp_path)
    (tmp_path / "larger").mkdir()
    write_npz(Path(found.larger), rows=20)
    write_npz(tmp_path / "chest.npz", rows=20)
    with np.load(found.larger) as content:
        fewer = {name: content[name][:10] for name in content.files}
    write_npz(tmp_path / "chest.npz", **fewer)
    source = open_source(str(tmp_path / "chest.npz"))
    lock_source(source, found.path, author="A. Reader", reason="first")
    model = write_model(tmp_path / "models" / "golden", MODEL)
    scores = replace(scored(found.case_set), model_sha256=sha256_tree(model))
    save_golden(approved(scores), found.baseline / "golden.json")
    return found


def write_model(folder: Path, content: bytes) -> Path:
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(content)
    return folder


def case(number: int) -> str:
    return f"chest-test-{number:05d}"


CHANGES: dict[str, Any] = {
    "retire": [case(4)],
    "relabel": [(case(0), 1)],
    "sentinel": [case(1)],
}


def test_the_new_version_golden_and_the_ledger_agree(governed: Governed) -> None:
    before, golden = governed.case_set, load_golden(governed.baseline / "golden.json")
    done = governed.amend(**CHANGES)
    after, moved = governed.case_set, load_golden(governed.baseline / "golden.json")
    assert done.after == after and (done.carried, done.scored, done.resumed) == (9, 0, False)
    assert (after.version, after.parent, after.author) == (2, before.merkle_root, "B. Reader")
    kept = [i for i, one in enumerate(before.cases) if one.case_id != case(4)]
    np.testing.assert_array_equal(aligned(moved.scores, after), golden.scores.scores[kept])
    (entry,) = governed.ledger.entries()
    assert (entry.kind, entry.by) == ("amendment", "B. Reader")
    assert entry.body == {
        "case_set": "chest",
        "from_version": 1,
        "from_root": before.merkle_root,
        "to_version": 2,
        "to_root": after.merkle_root,
        "reason": "second reading",
        "retired": [case(4)],
        "relabelled": [case(0)],
        "sentinels": [case(1)],
        "from_golden_sha256": golden.golden_sha256,
        "to_golden_sha256": moved.golden_sha256,
    }


def test_the_old_version_and_the_old_golden_are_kept_as_they_were(governed: Governed) -> None:
    old = governed.path.read_bytes(), (governed.baseline / "golden.json").read_bytes()
    governed.amend(**CHANGES)
    governed.amend(unsentinel=[case(1)])
    history = governed.baseline / "history"
    assert (history / "case_set-0001.json").read_bytes() == old[0]
    assert (history / "golden-0001.json").read_bytes() == old[1]
    assert load_case_set(history / "case_set-0002.json").version == 2
    assert governed.ledger.entries()[1].body["sentinels_removed"] == [case(1)]


def test_without_golden_the_case_set_alone_moves(governed: Governed) -> None:
    (governed.baseline / "golden.json").unlink()
    done = governed.amend(retire=[case(4)])
    assert (done.carried, done.scored, governed.case_set.version) == (None, None, 2)
    assert governed.ledger.entries()[0].body["to_golden_sha256"] is None


def test_taking_an_amendment_back_is_an_amendment_of_its_own(governed: Governed) -> None:
    first = governed.case_set.merkle_root
    for changes in ({"sentinel": [case(1)]}, {"unsentinel": [case(1)]}, {"sentinel": [case(1)]}):
        governed.amend(**changes)
    versions = [entry.body["to_version"] for entry in governed.ledger.entries()]
    assert versions == [2, 3, 4] and governed.ledger.entries()[1].body["to_root"] == first


# Added cases need golden's model


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, list[str]]]:
    """Stands in for TensorFlow: which model was asked for the scores of which cases."""
    calls = []

    def score(golden: Any, model: Path, cases: Any) -> dict[str, float]:
        calls.append((model, [one.case_id for one in cases]))
        return {one.case_id: 0.25 + 0.5 * one.label for one in cases}

    monkeypatch.setattr(amendment, "score_with_golden", score)
    return calls


def test_added_cases_are_scored_by_the_model_that_is_given(
    governed: Governed, asked: list[Any]
) -> None:
    model = governed.root / "models" / "golden"
    done = governed.amend(add=[case(15), case(12)], source=governed.larger, golden_model=model)
    assert asked == [(model, [case(12), case(15)])] and (done.carried, done.scored) == (10, 2)
    golden = load_golden(governed.baseline / "golden.json")
    assert aligned(golden.scores, governed.case_set)[-2:].tolist() == [0.25, 0.75]
    assert governed.ledger.entries()[0].body["added"] == [case(12), case(15)]


@pytest.mark.parametrize("place", ["serving/chest/3", "artifacts/Trainer/model/9/Format-Serving"])
def test_goldens_model_is_found_by_its_hash(
    governed: Governed, asked: list[Any], place: str
) -> None:
    write_model(governed.workspace.serving / "chest" / "2", b"another model")
    model = write_model(governed.workspace.root / place, MODEL)
    governed.amend(add=[case(12)], source=governed.larger)
    assert [path for path, _ in asked] == [model]


def test_without_goldens_model_nothing_is_written(governed: Governed, asked: list[Any]) -> None:
    write_model(governed.workspace.serving / "chest" / "2", b"another model")
    with refused(ConfigError, "no score for 1 (chest-test-00012)", "--golden-model"):
        governed.amend(add=[case(12)], source=governed.larger)
    assert asked == [] and governed.untouched() and governed.case_set.version == 1


def test_another_model_than_goldens_is_refused(governed: Governed, asked: list[Any]) -> None:
    other = write_model(governed.root / "models" / "other", b"another model")
    with refused(IntegrityError, "--golden-model", "models/other", sha256_tree(other)[:12]):
        governed.amend(add=[case(12)], source=governed.larger, golden_model=other)
    assert asked == [] and governed.untouched()


def test_a_score_that_is_not_finite_writes_nothing(
    governed: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amendment, "score_with_golden", lambda *_: {case(12): np.nan})
    model = governed.root / "models" / "golden"
    with refused(IntegrityError, "1 (chest-test-00012)"):
        governed.amend(add=[case(12)], source=governed.larger, golden_model=model)
    assert governed.untouched()


# Refusals


@pytest.mark.parametrize(
    "changes, fact",
    [
        ({}, "case set chest version 1: nothing to change"),
        ({"retire": [case(4)], "by": " "}, "--by"),
        ({"retire": [case(4)], "reason": "..."}, "--reason"),
        ({"retire": ["chest-test-0004"]}, "did you mean 'chest-test-00004'"),
        ({"add": [case(12)]}, "--add and --source"),
        ({"source": "phantom", "retire": [case(4)]}, "--add and --source"),
        ({"retire": [case(4)], "golden_model": Path()}, "--golden-model"),
        ({"retire": [case(4)], "case_set": "chst"}, "chst: "),
    ],
)
def test_a_request_that_cannot_be_writes_nothing(
    governed: Governed, changes: dict[str, Any], fact: str
) -> None:
    with refused(ConfigError, fact):
        governed.amend(**changes)
    assert governed.untouched()


def test_a_case_that_the_source_lacks_writes_nothing(governed: Governed) -> None:
    with refused(SourceError, "chest.npz", "'chest-test-00099'", "did you mean"):
        governed.amend(add=[case(99)], source=governed.larger)
    assert governed.untouched()


def test_the_same_amendment_twice_says_that_it_is_done(governed: Governed) -> None:
    governed.amend(**CHANGES)
    with refused(ConfigError, "case_set.json", "version 2", "B. Reader"):
        governed.amend(**CHANGES, by="C. Reader")
    assert governed.case_set.version == 2 and len(governed.ledger.entries()) == 1


def test_a_ledger_that_was_edited_stops_it_before_anything_is_written(governed: Governed) -> None:
    governed.amend(sentinel=[case(1)])
    path = governed.workspace.ledger
    path.write_bytes(path.read_bytes().replace(b"second reading", b"second eading!"))
    before = sha256_tree(governed.baseline)
    with refused(IntegrityError, "ledger.jsonl:1"):
        governed.amend(sentinel=[case(2)])
    assert sha256_tree(governed.baseline) == before


def test_golden_of_some_other_case_set_stops_it(governed: Governed) -> None:
    path = governed.baseline / "golden.json"
    golden = load_golden(path)
    save_golden(approved(replace(golden.scores, scored_case_set=sha("other"))), path)
    with refused(IntegrityError, "golden.json", "version 1"):
        governed.amend(**CHANGES)
    assert governed.untouched()


# Interruptions


def interrupt(governed: Governed, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Amends, and fails at this step of the writing."""

    def fail(*arguments: object, **named: object) -> None:
        raise RuntimeError("the power failed")

    with monkeypatch.context() as patch:
        if step == "append":
            patch.setattr(Ledger, "append", fail)
        else:
            patch.setattr(amendment, step, fail)
        with pytest.raises(RuntimeError, match="the power failed"):
            governed.amend(**CHANGES)


STEPS = ["archive", "save_case_set", "append", "save_golden"]


@pytest.mark.parametrize("step", STEPS)
def test_the_same_amendment_again_does_what_is_left(
    governed: Governed, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    interrupt(governed, monkeypatch, step)
    assert governed.amend(**CHANGES).resumed is (step in ("append", "save_golden"))
    golden = load_golden(governed.baseline / "golden.json")
    assert governed.case_set.version == 2
    assert golden.scores.scored_case_set == governed.case_set.merkle_root
    (entry,) = governed.ledger.entries()
    assert entry.body["to_golden_sha256"] == golden.golden_sha256


@pytest.mark.parametrize("step", ["append", "save_golden"])
def test_an_interrupted_amendment_cannot_be_judged_by(
    governed: Governed, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    interrupt(governed, monkeypatch, step)
    case_set = governed.case_set
    golden = load_golden(governed.baseline / "golden.json")
    decision = judged(
        scored(case_set), case_set=case_set, champion=scored(case_set, model="ch"), golden=golden
    )
    assert (decision.verdict.value, decision.exit_code) == ("FAIL", 4)


def test_another_amendment_waits_for_the_interrupted_one(
    governed: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(governed, monkeypatch, "append")
    command = f"--retire {case(4)} --relabel {case(0)}=positive --sentinel {case(1)} --by"
    with refused(IntegrityError, "golden.json: ", "version 2", command):
        governed.amend(sentinel=[case(2)])
    governed.amend(**CHANGES)
    assert governed.amend(sentinel=[case(2)]).after.version == 3


def test_a_golden_that_the_ledger_did_not_record_does_not_finish_it(
    governed: Governed, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = governed.root / "models" / "golden"
    changes = {"add": [case(12)], "source": governed.larger, "golden_model": model}
    with monkeypatch.context() as patch:
        patch.setattr(amendment, "save_golden", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            governed.amend(**changes)
    monkeypatch.setattr(amendment, "score_with_golden", lambda *_: {case(12): 0.5})
    with refused(IntegrityError, "golden.json", "entry 1 "):
        governed.amend(**changes)


@pytest.mark.process
def test_death_at_any_instant_leaves_the_old_version_or_one_to_finish(governed: Governed) -> None:
    pristine = governed.root / "pristine"
    shutil.copytree(governed.baseline, pristine)
    deaths = 0

    def prepare() -> None:
        shutil.rmtree(governed.baseline)
        shutil.rmtree(governed.workspace.root, ignore_errors=True)
        shutil.copytree(pristine, governed.baseline)

    act: Callable[[], object] = lambda: governed.amend(**CHANGES)  # noqa: E731
    for _ in killed_before_each_change(prepare, act):
        deaths += 1
        case_set = governed.case_set
        golden = load_golden(governed.baseline / "golden.json")
        usable = golden.scores.scored_case_set == case_set.merkle_root
        recorded = bool(governed.ledger.entries())
        assert usable == (case_set.version == 1 or bool(golden.approval.rescored))
        assert not usable or recorded == (case_set.version == 2)
        try:
            act()
        except ConfigError as error:
            assert "nothing is left to do" in str(error) and usable and recorded
        (entry,) = governed.ledger.entries()
        moved = load_golden(governed.baseline / "golden.json")
        assert entry.body["to_golden_sha256"] == moved.golden_sha256
        assert moved.scores.scored_case_set == governed.case_set.merkle_root
        assert governed.case_set.version == 2
        kept = governed.baseline / "history" / "case_set-0001.json"
        assert sha256_file(kept) == sha256_file(pristine / "case_set.json")
    assert deaths > 15
