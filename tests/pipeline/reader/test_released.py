"""Of which artefact a reader is made: the released one, while all that speaks for it does."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from components.attestation.keys import new_key
from components.decision import Decision, Verdict, save_decision
from components.records.errors import ConfigError, IntegrityError, NothingEvaluated, SignatureError
from components.records.export import EXPORTS, TFJS, TFLITE_INT8, export_sha256
from components.records.run_files import DECISION, DECISION_ATTESTATION, RELEASE_ATTESTATION
from pipeline.reader.released import released_artefact
from pipeline.settings.config import load_config
from pipeline.settings.workspace import Workspace
from tests.components.exporting import exported
from tests.pipeline.evidence.releasing import RUN, VERSION, released
from tests.pipeline.reader.making import write_artefact
from tests.pipeline.serving.making import Ward
from tests.refusing import refused


class Exporting(Ward):
    """Releases a TF.js artefact with each version."""

    kind = TFJS

    def artefact(self, version: int) -> Path:
        return self.root / EXPORTS / "pneumonia" / str(version) / self.kind

    def _decided(self, run_id: str, sha256: str) -> Decision:
        decision = super()._decided(run_id, sha256)
        folder = self.artefact(int(run_id.removeprefix("run-")))
        folder.parent.mkdir(parents=True)
        write_artefact(folder, model_sha256=sha256, kind=self.kind)
        run_folder = self.workspace.run_folder(run_id)
        made = replace(exported(run_folder, sha256, self.kind), sha256=export_sha256(folder))
        decision = replace(decision, exports=(made,))
        save_decision(decision, run_folder / DECISION)
        return decision


@pytest.fixture
def ward(tmp_path: Path) -> Exporting:
    made = Exporting(tmp_path)
    made.release(7)
    return made


def test_the_newest_releases_artefact_is_taken(ward: Exporting) -> None:
    sha256 = ward.release(9)
    found = released_artefact(ward.config(), ward.workspace)
    assert (found.folder, found.record.model_sha256) == (ward.artefact(9), sha256)
    assert (found.facts.name, found.facts.version, found.facts.signers) == ("pneumonia", 9, ())
    assert found.facts.export_sha256 == export_sha256(ward.artefact(9))


def test_where_nothing_is_released_there_is_no_page(tmp_path: Path) -> None:
    with refused(NothingEvaluated, "serving/pneumonia"):
        released_artefact(Exporting(tmp_path).config(), Exporting(tmp_path).workspace)


def test_a_release_without_tfjs_says_what_it_has(tmp_path: Path) -> None:
    ward = Exporting(tmp_path)
    ward.kind = TFLITE_INT8
    ward.release(7)
    with refused(ConfigError, "no artefact tfjs", "tflite_int8"):
        released_artefact(ward.config(), ward.workspace)


def test_an_artefact_that_was_altered_makes_no_page(ward: Exporting) -> None:
    (ward.artefact(7) / "weights.bin").write_bytes(b"\0" * 16)
    with refused(IntegrityError, "weights.bin"):
        released_artefact(ward.config(), ward.workspace)


def test_an_artefact_of_another_release_makes_no_page(ward: Exporting) -> None:
    ward.release(9)
    shutil.rmtree(ward.artefact(9))
    shutil.copytree(ward.artefact(7), ward.artefact(9))
    with refused(IntegrityError, str(ward.artefact(9))):
        released_artefact(ward.config(), ward.workspace)


def test_a_model_that_was_altered_makes_no_page(ward: Exporting) -> None:
    (ward.destination / "7" / "saved_model.pb").write_text("other weights")
    with refused(IntegrityError, str(ward.destination)):
        released_artefact(ward.config(), ward.workspace)


def test_an_unsigned_release_makes_a_page_only_where_that_is_allowed(ward: Exporting) -> None:
    with refused(SignatureError, "signing.unsigned"):
        released_artefact(
            ward.config("signing.unsigned=false", f"signing.keys={ward.root}"), ward.workspace
        )


@pytest.mark.store
class TestSigned:
    MODEL = "serving.model_name=chest"

    @pytest.fixture
    def workspace(self, tmp_path: Path) -> Workspace:
        _, _, ann = new_key(tmp_path / "private", "Ann")
        return released(tmp_path, signers=(ann,), exports={TFJS: Verdict.PASS}).workspace

    def test_who_signed_the_artefacts_release_is_named(self, workspace: Workspace) -> None:
        found = released_artefact(load_config(None, [self.MODEL]), workspace)
        assert (found.facts.version, found.facts.signers) == (VERSION, ("Ann",))

    def test_a_signature_that_is_gone_or_of_something_else_is_missed(
        self, workspace: Workspace
    ) -> None:
        config = load_config(None, [self.MODEL])
        envelope = workspace.root / EXPORTS / "chest" / str(VERSION) / TFJS / RELEASE_ATTESTATION
        envelope.write_bytes((workspace.run_folder(RUN) / DECISION_ATTESTATION).read_bytes())
        with refused(SignatureError, str(envelope)):
            released_artefact(config, workspace)
        envelope.unlink()
        with refused(SignatureError, str(envelope)):
            released_artefact(config, workspace)
