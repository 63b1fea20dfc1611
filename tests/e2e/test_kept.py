"""What an earlier version wrote is read by this one: a workspace, its ledger, and a bundle.

`tests/kept/VERSION.tar.xz` holds, as that version left them, a `workspace/` with one signed
release among three runs, the `ward/` of made pictures that it learned from, and the release's
`bundle.zip`.
0.1.0 is the last whose releases ran in Python alone.
"""

import json
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main

KEPT = Path(__file__).parents[1] / "kept" / "0.1.0.tar.xz"
VERSION = "1795992400"
ENTRIES = 11


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    with tarfile.open(KEPT) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def casegate(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def verified(kept: Path) -> tuple[int, dict]:
    result = casegate(
        *("lineage", "verify", VERSION, "--workspace", kept / "workspace", "--format", "json")
    )
    return result.exit_code, json.loads(result.stdout)


def test_workspace_is_as_recorded(kept: Path) -> None:
    code, answer = verified(kept)
    assert code == 0
    facts = answer["facts"]
    assert facts["result"] == "as recorded"
    assert facts["checked: signed statements"] == "2" and facts["checked: files"] == "15"
    assert facts[f"can be served: serving/pneumonia/{VERSION}"].startswith("no: ")


def test_a_changed_byte_is_still_found(kept: Path) -> None:
    scores = next((kept / "workspace" / "runs").glob("20261129T224533*")) / "scores.json"
    text = scores.read_text()
    scores.write_text(text.replace("1", "2", 1))
    code, answer = verified(kept)
    assert code == 4 and answer["facts"]["result"] != "as recorded"


def test_ledger_follows(kept: Path) -> None:
    result = casegate("ledger", "verify", "--workspace", kept / "workspace")
    assert result.exit_code == 0 and result.stdout.startswith(f"{ENTRIES} entries, none altered")
    lines = (kept / "workspace" / "ledger.jsonl").read_text().splitlines(keepends=True)
    (kept / "workspace" / "ledger.jsonl").write_text("".join(lines[:3] + lines[4:]))
    assert casegate("ledger", "verify", "--workspace", kept / "workspace").exit_code == 4


def test_bundle_proves_its_release(kept: Path) -> None:
    key = next((kept / "workspace" / "baselines" / "ward" / "keys").glob("*.pub.pem"))
    result = casegate("lineage", "check", kept / "bundle.zip", "--key", key, "--format", "json")
    results = {row["what"]: row["result"] for row in json.loads(result.stdout)["tables"]["checks"]}
    # 3: all fits, and nothing from outside says that this ledger is the whole one.
    assert result.exit_code == 3
    assert results["signature of the decision"] == results["signature of the release"] == "verified"
    assert results["decision taken again"] == "recomputed"
    assert results["ledger"] == results["release"] == results["files"] == "fits"


@pytest.mark.slow
@pytest.mark.tensorflow
def test_next_run_follows_on_it_and_can_be_served(kept: Path) -> None:
    """The champion of before, which Python alone can run, judges one that every server runs."""
    workspace = kept / "workspace"
    result = casegate(
        *("run", "--data", kept / "ward", "--workspace", workspace, "--format", "json"),
        *("--set", "signing.unsigned=true"),
    )
    outcome = json.loads(result.stdout)
    assert result.exit_code == 0 and outcome["verdict"] == "PASS"
    assert int(outcome["version"]) > int(VERSION)
    verdicts = {check["check"]: check["verdict"] for check in outcome["decision"]["checks"]}
    assert verdicts["servable"] == "PASS"
    assert verdicts["sensitivity[overall].non_inferiority.champion"] == "PASS"
    answer = casegate("lineage", "verify", "--all", "--workspace", workspace, "--format", "json")
    facts = json.loads(answer.stdout)["facts"]
    assert answer.exit_code == 0
    assert facts[f"can be served: serving/pneumonia/{outcome['version']}"].startswith("yes")
    ledger = casegate("ledger", "verify", "--workspace", workspace)
    assert ledger.exit_code == 0 and not ledger.stdout.startswith(f"{ENTRIES} entries")
