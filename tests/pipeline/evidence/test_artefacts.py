"""A question may name a release by an artefact of it, and the answers say what was exported."""

import shutil
from pathlib import Path

import pytest

from components.attestation.keys import new_key
from components.decision import Verdict
from components.records.errors import ConfigError, IntegrityError, SignatureError
from components.records.export import TFJS, TFLITE_FLOAT, TFLITE_INT8
from components.records.files import sha256_file
from components.records.run_files import RELEASE_ATTESTATION
from pipeline.evidence.questions.impact import impact_of_package
from pipeline.evidence.questions.show import show
from pipeline.evidence.signatures import signed_file
from pipeline.evidence.subject import Evidence, Subject
from pipeline.evidence.trace.trace import trace
from tests.pipeline.evidence.releasing import PLACED, RUN, VERSION, released
from tests.refusing import refused

pytestmark = pytest.mark.store
EXPORTS = {TFLITE_INT8: Verdict.PASS, TFJS: Verdict.PASS, TFLITE_FLOAT: Verdict.FAIL}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return released(tmp_path_factory.mktemp("kept"), exports=EXPORTS).workspace.root


def asked(root: Path, text: str) -> Subject:
    with Evidence(root) as evidence:
        return evidence.subject(text)


def test_a_file_that_is_on_a_device_leads_to_its_release(root: Path, tmp_path: Path) -> None:
    on_device = tmp_path / "xray.tflite"
    shutil.copy(root / PLACED / TFLITE_INT8 / "model.tflite", on_device)
    shard = root / PLACED / TFJS / "group1-shard1of1.bin"
    sha256 = sha256_file(on_device)
    for text in (str(on_device), sha256, sha256[:10].upper(), sha256_file(shard)):
        found = asked(root, text)
        assert found.run_id == RUN and found.release and found.release.version == VERSION


def test_an_artefacts_folder_leads_to_its_release(root: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(root / PLACED / TFJS, tmp_path / "site")
    found = asked(root, str(copied))
    assert found.release and set(found.release.exports) == {TFLITE_INT8, TFJS}
    assert asked(root, found.release.exports[TFJS]) == found


def test_what_was_never_released_leads_nowhere(root: Path, tmp_path: Path) -> None:
    judged = root / "runs" / RUN / "exports" / TFLITE_FLOAT / "artefact" / "model.tflite"
    (tmp_path / "empty").mkdir()
    for text in (str(judged), sha256_file(judged), "abcd", str(root / PLACED / "labels.txt")):
        with refused(ConfigError, text):
            asked(root, text)
    with refused(IntegrityError, "empty"):
        asked(root, str(tmp_path / "empty"))


def test_the_trace_shows_what_was_released_and_what_was_not(root: Path) -> None:
    with Evidence(root) as evidence:
        graph = trace(evidence, evidence.subject(RUN))
    labels = {
        kind: {(edge.target, edge.label) for edge in graph.edges if edge.source == f"export-{kind}"}
        for kind in EXPORTS
    }
    both = {("decision", "judged"), (f"release-{VERSION}", "released with")}
    assert labels == {TFLITE_INT8: both, TFJS: both, TFLITE_FLOAT: {("decision", "judged")}}
    assert graph.node(f"export-{TFLITE_FLOAT}").facts["verdict"] == "FAIL"


def test_show_has_the_verdict_on_each_artefact(root: Path) -> None:
    with Evidence(root) as evidence:
        answer = show(evidence, evidence.subject(RUN))
    assert answer.facts["release: artefacts"] == f"{TFJS}, {TFLITE_INT8}"
    (table,) = (table for table in answer.tables if table.name == "exports")
    assert [row[:2] for row in table.rows] == [
        (verdict.value, kind) for kind, verdict in EXPORTS.items()
    ]


def test_impact_says_what_devices_may_hold(root: Path) -> None:
    with Evidence(root) as evidence:
        answer = impact_of_package(evidence, "numpy==1.26.4")
        exports = evidence.releases[-1].exports
    held = str(answer.facts["handed out to devices and browsers"])
    assert all(f"{PLACED}/{kind} {sha256}" in held for kind, sha256 in exports.items())
    (table,) = (table for table in answer.tables if table.name == "releases")
    assert table.rows[0][table.columns.index("exports")] == f"{TFJS}, {TFLITE_INT8}"


def test_an_artefact_is_checked_where_it_was_copied_to(tmp_path: Path) -> None:
    signer = new_key(tmp_path / "private", "Dr. Lang")[2]
    run = released(tmp_path, signers=(signer,), exports=EXPORTS)
    keys = run.workspace.baselines / "planted" / "keys"
    folder = shutil.copytree(run.workspace.root / PLACED / TFJS, tmp_path / "site")
    answer = signed_file(folder / RELEASE_ATTESTATION, keys)
    assert answer.exit_code == 0 and str(folder) in answer.notes[0]
    (folder / "labels.txt").write_text("pneumonia\nnormal\n")
    with refused(SignatureError, folder, TFJS):
        signed_file(folder / RELEASE_ATTESTATION, keys)
