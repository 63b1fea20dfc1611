"""Which version may be served: the newest, and only while all that speaks for it still does."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from components.attestation.keys import new_key
from components.baselines.scores import load_scores, save_scores
from components.records.errors import IntegrityError, NothingEvaluated, SignatureError
from components.records.files import sha256_tree
from components.records.run_files import DECISION, DECISION_ATTESTATION, SCORES
from pipeline.serving.vouched import release_state, rolled_back, vouch
from pipeline.settings.config import load_config
from tests.pipeline.evidence.releasing import RUN, VERSION, released
from tests.pipeline.serving.making import Ward
from tests.refusing import refused


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    made = Ward(tmp_path)
    made.release(7)
    return made


def test_the_newest_version_is_vouched_for(ward: Ward) -> None:
    sha256 = ward.release(9)
    found = vouch(ward.config(), ward.workspace)
    assert (found.name, found.version, found.sha256) == ("pneumonia", 9, sha256)
    assert (found.folder, found.run_id) == (ward.destination / "9", "run-9")
    assert (found.operating_point, found.signers) == (0.5, ())


def test_where_nothing_is_released_nothing_is(tmp_path: Path) -> None:
    with refused(NothingEvaluated, "serving/pneumonia"):
        vouch(Ward(tmp_path).config(), Ward(tmp_path).workspace)


def test_a_version_that_came_back_by_a_rollback_is_vouched_for(ward: Ward) -> None:
    taken_back = ward.release(9)
    new = ward.roll_back(to=7)
    found = vouch(ward.config(), ward.workspace)
    assert (found.version, found.run_id) == (new, "run-7")
    assert "A. Radiologist" in str(rolled_back(ward.workspace, taken_back))
    assert rolled_back(ward.workspace, found.sha256) is None


def alter(ward: Ward) -> None:
    (ward.destination / "7" / "saved_model.pb").write_text("other weights")


def add_by_hand(ward: Ward) -> None:
    (ward.destination / "8").mkdir()
    (ward.destination / "8" / "saved_model.pb").write_text("weights of nobody")


def copy_by_hand(ward: Ward) -> None:
    (ward.destination / "7").rename(ward.destination / "8")


def end_between_push_and_record(ward: Ward) -> None:
    ward.release(8, recorded=False)


def end_before_the_rename(ward: Ward) -> None:
    ward.release(8)
    (ward.destination / str(ward.roll_back(to=7))).rename(ward.root / "away")


def edit_decision(ward: Ward) -> None:
    path = ward.workspace.run_folder("run-7") / DECISION
    path.write_text(path.read_text().replace('"looks"', '"Looks"', 1))


def edit_ledger(ward: Ward) -> None:
    text = ward.workspace.ledger.read_text()
    ward.workspace.ledger.write_text(text.replace('"casegate"', '"somebody"', 1))


def remove_ledger(ward: Ward) -> None:
    for path in ward.root.glob("ledger.*"):
        path.unlink()


def edit_scores(ward: Ward) -> None:
    path = ward.workspace.run_folder("run-7") / SCORES
    save_scores(replace(load_scores(path), operating_point=0.6), path)


@pytest.mark.parametrize(
    "fault",
    [
        alter,
        add_by_hand,
        copy_by_hand,
        end_between_push_and_record,
        end_before_the_rename,
        edit_decision,
        edit_ledger,
        remove_ledger,
        edit_scores,
    ],
    ids=lambda fault: fault.__name__,
)
def test_what_does_not_fit_is_not_vouched_for(ward: Ward, fault: Callable[[Ward], None]) -> None:
    vouch(ward.config(), ward.workspace)
    before = sha256_tree(ward.root)
    fault(ward)
    assert sha256_tree(ward.root) != before
    with refused(IntegrityError, str(ward.root)):
        vouch(ward.config(), ward.workspace)


def test_an_unsigned_release_is_vouched_for_only_where_that_is_allowed(ward: Ward) -> None:
    with refused(SignatureError, "wanted 1", "signing.unsigned"):
        vouch(ward.config("signing.unsigned=false", f"signing.keys={ward.root}"), ward.workspace)


def test_what_may_have_changed_is_seen_without_hashing(ward: Ward) -> None:
    states = [release_state(ward.config(), ward.workspace)]
    for happens in (lambda: ward.release(9), lambda: ward.roll_back(to=7)):
        assert release_state(ward.config(), ward.workspace) == states[-1]
        happens()
        states.append(release_state(ward.config(), ward.workspace))
    assert states[0] != states[1] != states[2]
    assert release_state(ward.config(), Ward(ward.root / "none").workspace) is not None


@pytest.mark.store
class TestSigned:
    MODEL = "serving.model_name=chest"

    def test_a_signed_release_is_vouched_for_by_those_who_count(self, tmp_path: Path) -> None:
        _, _, ann = new_key(tmp_path / "private", "Ann")
        workspace = released(tmp_path, signers=(ann,)).workspace
        found = vouch(load_config(None, [self.MODEL]), workspace)
        assert (found.version, found.run_id, found.signers) == (VERSION, RUN, ("Ann",))
        for settings, words in (
            (("signing.threshold=2",), "got 1"),
            ((f"signing.keys={tmp_path / 'nobodys'}",), "got 0"),
        ):
            with refused(SignatureError, words):
                vouch(load_config(None, [self.MODEL, *settings]), workspace)

    @pytest.mark.parametrize("allowed", [True, False])
    def test_a_signature_that_is_gone_is_missed(self, tmp_path: Path, allowed: bool) -> None:
        _, _, ann = new_key(tmp_path / "private", "Ann")
        workspace = released(tmp_path, signers=(ann,)).workspace
        (workspace.run_folder(RUN) / DECISION_ATTESTATION).unlink()
        config = load_config(None, [self.MODEL, f"signing.unsigned={str(allowed).lower()}"])
        with refused(SignatureError, "decision"):
            vouch(config, workspace)
