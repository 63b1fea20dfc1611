import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from components.attestation.checking import check_decision
from components.attestation.key_files import PASSPHRASE_FILE_VARIABLE, PASSPHRASE_VARIABLE
from components.attestation.keys import VARIABLE, Signer, load_trusted, new_key
from components.attestation.signing import attest_decision, attest_release
from components.records.errors import ConfigError, SignatureError
from components.records.files import sha256_file
from components.records.ledger.ledger import Ledger
from components.records.run_files import DECISION_ATTESTATION, HTML_REPORT
from pipeline.commands.keys import keys
from pipeline.evidence.signatures import subjects_there
from pipeline.evidence.subject import Evidence
from tests.pipeline.evidence.releasing import PLACE, RUN, VERSION, released
from tests.refusing import refusal


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (VARIABLE, PASSPHRASE_VARIABLE, PASSPHRASE_FILE_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one release, whose decision the machine `ci` signed."""
    root = tmp_path_factory.mktemp("signed")
    run = released(root)
    folder = run.workspace.run_folder(RUN)
    with Evidence(run.workspace.root) as evidence:
        attest_decision(folder, subjects_there(evidence, RUN), [trusted(root, "ci")])
    return root


@pytest.fixture
def root(once: Path, tmp_path: Path) -> Path:
    return shutil.copytree(once, tmp_path / "root")


def trusted(root: Path, name: str) -> Signer:
    _, public, signer = new_key(root / "private", name)
    (root / "trusted").mkdir(exist_ok=True)
    shutil.copy(public, root / "trusted")
    return signer


def envelope(root: Path) -> Path:
    return root / "workspace" / "runs" / RUN / DECISION_ATTESTATION


def ran(root: Path, *words: str) -> Result:
    where = ["--keys", str(root / "trusted"), "--workspace", str(root / "workspace")]
    return CliRunner().invoke(keys, [*words, *where])


def test_init_makes_a_pair_and_says_what_is_where(tmp_path: Path) -> None:
    result = CliRunner().invoke(keys, ["init", "--out", str(tmp_path / "k"), "--name", "Ann"])
    assert result.exit_code == 0
    assert f"{tmp_path}/k/Ann.key.pem; keep it to yourself" in result.stdout
    shown = CliRunner().invoke(keys, ["show", str(tmp_path / "k" / "Ann.pub.pem")])
    assert result.stdout.split()[2] in shown.stdout


def test_init_encrypts_with_what_a_variable_holds(tmp_path, monkeypatch) -> None:
    told = ["init", "--out", str(tmp_path), "--name", "Ann", "--passphrase-env", "SECRET"]
    refusal(CliRunner().invoke(keys, told), ConfigError, "the variable is not set")
    monkeypatch.setenv("SECRET", "correct horse")
    assert "private key, encrypted" in CliRunner().invoke(keys, told).stdout
    private = str(tmp_path / "Ann.key.pem")
    refusal(CliRunner().invoke(keys, ["show", private]), ConfigError, "Ann.key.pem")
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "correct horse")
    assert "private" in CliRunner().invoke(keys, ["show", private]).stdout


def test_init_does_not_overwrite(tmp_path: Path) -> None:
    told = ["init", "--out", str(tmp_path), "--name", "Ann"]
    CliRunner().invoke(keys, told)
    refusal(CliRunner().invoke(keys, told), ConfigError, "Ann.")


def test_show_tells_who_signed_and_that_the_release_is_unsigned(root: Path) -> None:
    result = ran(root, "show", RUN, "--format", "json")
    shown = json.loads(result.stdout)
    (row,) = shown["tables"]["signatures"]
    assert (row["statement"], row["by"], row["counts"]) == ("decision", "ci", "trusted")
    assert shown["facts"]["release: signed"] == "no"
    assert result.exit_code == 4


def test_show_says_that_an_unknown_key_does_not_count(root: Path) -> None:
    (root / "trusted" / "ci.pub.pem").unlink()
    result = ran(root, "show", RUN)
    assert result.exit_code == 4
    assert "does not count" in result.stdout


def test_show_is_content_only_where_a_trusted_key_signed_everything(tmp_path: Path) -> None:
    released(tmp_path, signers=(trusted(tmp_path, "Ann"),))
    assert ran(tmp_path, "show", RUN).exit_code == 0
    (tmp_path / "trusted" / "Ann.pub.pem").unlink()
    result = ran(tmp_path, "show", RUN)
    assert result.exit_code == 4
    assert result.stdout.count("does not count") == 2


def test_show_finds_a_signed_release_by_its_version(root: Path) -> None:
    sign_release(root, version=8)
    result = ran(root, "show", "8", "--format", "json")
    statements = [row["statement"] for row in json.loads(result.stdout)["tables"]["signatures"]]
    assert statements == ["decision", "release"]


def test_a_replaced_release_statement_is_found_by_the_ledger(root: Path) -> None:
    path = sign_release(root, version=8)
    path.write_bytes(path.read_bytes() + b"\n")
    refusal(ran(root, "show", "8"), SignatureError, "of the ledger names")


def test_a_release_statement_for_another_version_is_found(root: Path) -> None:
    sign_release(root, version=8, entered=9)
    refusal(ran(root, "show", "9"), SignatureError, "was signed for serving/chest version 8")


def test_a_second_person_signs(root: Path) -> None:
    trusted(root, "Ann")
    result = ran(root, "sign", RUN, "--key", str(root / "private" / "Ann.key.pem"))
    assert result.exit_code == 0, result.output
    assert "signed by Ann" in result.stderr
    known = load_trusted(root / "trusted")
    checked = check_decision(envelope(root), there={}, trusted=known, threshold=2)
    assert set(checked.signers) == {"Ann", "ci"}


def test_nobody_signs_twice(root: Path) -> None:
    told = ["sign", RUN, "--key", str(root / "private" / "ci.key.pem")]
    refusal(ran(root, *told), ConfigError, "signed it already")


def test_signing_takes_a_key(root: Path) -> None:
    refusal(ran(root, "sign", RUN), ConfigError, "no key to sign with")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (f"runs/{RUN}/{HTML_REPORT}", "report.html is"),
        (f"runs/{RUN}/decision.json", "decision.json"),
        (f"{PLACE}/{VERSION}/saved_model.pb", "model is"),
    ],
)
def test_nobody_signs_what_is_not_as_it_was_signed(root: Path, path: str, words: str) -> None:
    trusted(root, "Ann")
    before = envelope(root).read_bytes()
    (root / "workspace" / path).write_text("another")
    told = ["sign", RUN, "--key", str(root / "private" / "Ann.key.pem")]
    refusal(ran(root, *told), 4, words)
    assert envelope(root).read_bytes() == before


def test_what_judged_the_run_is_hashed_again(root: Path) -> None:
    (kept,) = (root / "workspace" / "inputs").glob("policy-*.yaml")
    kept.write_text("another")
    refusal(ran(root, "show", RUN), SignatureError, "policy.yaml is")


def test_an_unsigned_run_cannot_be_signed_later(root: Path) -> None:
    envelope(root).unlink()
    told = ["sign", RUN, "--key", str(root / "private" / "ci.key.pem")]
    refusal(ran(root, *told), SignatureError, "decision.dsse.json")


def test_show_reads_an_envelope_without_its_workspace(root: Path, tmp_path: Path) -> None:
    shutil.copy(envelope(root), tmp_path / "theirs.dsse.json")
    shown = ran(root, "show", str(tmp_path / "theirs.dsse.json"), "--format", "json")
    found = json.loads(shown.stdout)
    assert found["facts"]["run id"] == RUN
    assert found["tables"]["signatures"][0]["by"] == "ci"
    assert {"name": "model", "digest": "casegateTreeSha256"}.items() <= {
        **found["tables"]["subjects"][0]
    }.items()


def test_where_the_keys_are_is_not_guessed(root: Path) -> None:
    envelope(root).with_name("request.json").unlink()
    told = ["show", RUN, "--workspace", str(root / "workspace")]
    refusal(CliRunner().invoke(keys, told), ConfigError, "say --keys DIR")


def test_the_keys_beside_the_policy_count_unless_configured(root: Path) -> None:
    folder = envelope(root).parent
    named = {"case_set": [str(root / "case_set.json"), ""]}
    (folder / "request.json").write_text(json.dumps(named))
    shutil.copytree(root / "trusted", root / "keys")
    told = ["show", RUN, "--workspace", str(root / "workspace"), "--format", "json"]
    shown = json.loads(CliRunner().invoke(keys, told).stdout)
    assert shown["facts"]["trusted keys"] == f"1 in {root}/keys"


def sign_release(root: Path, *, version: int, entered: int | None = None) -> Path:
    """Releases the run's model once more, signed, as `entered` by the ledger."""
    workspace = root / "workspace"
    entered = entered or version
    model = shutil.copytree(workspace / PLACE / str(VERSION), workspace / PLACE / str(entered))
    known = load_trusted(root / "trusted")
    checked = check_decision(envelope(root), there={}, trusted=known, threshold=1)
    path = attest_release(
        envelope(root).parent,
        model_folder=model,
        destination=PLACE,
        version=version,
        decision=checked,
        signers=[trusted(root, f"releaser-{version}")],
    )
    ledger = Ledger(workspace / "ledger.jsonl")
    (before,) = (entry for entry in ledger.entries() if entry.kind == "release")
    # The first one was unsigned; what is asked for is the last.
    body = {**before.body, "version": entered, "attestation_sha256": sha256_file(path)}
    ledger.append("release", body, by="casegate", at="2026-01-01T00:01:50Z")
    return path
