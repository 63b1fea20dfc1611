"""An auditor's questions to a workspace that real runs filled, and to tampered copies of it."""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from components.attestation import component as attestor
from components.lineage.record import load_record
from components.records.errors import SignatureError
from components.records.files import sha256_tree
from components.records.ledger.ledger import Ledger
from tests.e2e.auditing import SIGNED, Audited, casegate, fill
from tests.e2e.making import released_sha256, watched_run
from tests.e2e.tampering import TAMPERINGS
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="session")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    return fill(tmp_path_factory.mktemp("audited"))


@pytest.fixture
def spoiled(audited: Audited, tmp_path: Path) -> Audited:
    return audited.copied(tmp_path / "copy")


def answer(audited: Audited, *words: object, exit_code: int = 0) -> dict[str, Any]:
    found = audited.asked(*words, "--format", "json")
    assert found.exit_code == exit_code, found.output
    return json.loads(found.stdout)


def rows(found: dict[str, Any], table: str) -> list[dict[str, Any]]:
    return found["tables"][table]


def first(audited: Audited) -> str:
    return str(audited.versions[0])


# The records


def test_every_run_has_a_record_whatever_became_of_it(audited: Audited) -> None:
    states = {
        "inconclusive": ("inconclusive", 3),
        "released": ("released", 0),
        "unchanged": ("unchanged", 0),
        "second": ("released", 0),
        "blocked": ("blocked", 1),
        "failed": ("failed", 2),
        "killed": ("killed", None),
        "withdrawn": ("blocked", 1),
    }
    ledger = Ledger(audited.workspace / "ledger.jsonl").entries()
    recorded = {e.body["run_id"]: e.body["record_sha256"] for e in ledger if e.kind == "run"}
    for name, (state, exit_code) in states.items():
        run_id = audited.runs[name]
        record = load_record(audited.workspace / "runs" / run_id / "run.json")
        assert (record.state, record.exit_code) == (state, exit_code), name
        assert recorded[run_id] == record.record_sha256
        assert record.finished is not None and record.finished >= record.started


def test_a_record_says_what_ran_on_what(audited: Audited) -> None:
    record = load_record(audited.workspace / "runs" / audited.runs["second"] / "run.json")
    assert record.who.owner == "Radiology"
    assert record.inputs.training_cases == 1200
    assert record.environment.packages["tensorflow"] == version("tensorflow")
    assert record.release is not None and record.release.attestation_sha256 is not None
    trainer = next(c for c in record.components if c.name == "Trainer")
    assert trainer.state == "finished" and trainer.seconds is not None and trainer.seconds > 0
    assert trainer.peak_memory_bytes is None or trainer.peak_memory_bytes > 10**8


# The commands


def test_list_shows_every_run_and_what_serves(audited: Audited) -> None:
    found = answer(audited, "list")
    (listed,) = found["tables"].values()
    states = {row["run"]: row["state"] for row in listed}
    assert states[audited.runs["killed"]] == "killed"
    assert states[audited.runs["blocked"]] == "blocked"
    serving = [row["version"] for row in listed if row["serving"]]
    assert [str(version) for version in serving] == [str(audited.versions[-1])]
    only = answer(audited, "list", "--state", "failed")
    assert {row["run"] for row in next(iter(only["tables"].values()))} == {audited.runs["failed"]}


def test_show_names_model_data_criteria_and_approver(audited: Audited) -> None:
    found = answer(audited, "show", first(audited))
    told = json.dumps(found)
    record = load_record(audited.workspace / "runs" / audited.runs["released"] / "run.json")
    for value in (
        record.inputs.training_root,
        record.inputs.policy_sha256,
        record.code.git_commit or "not known",
        record.environment.lock_file_sha256,
        "A. Tester",
    ):
        assert str(value) in told
    assert len(rows(found, "checks")) == 9


def test_trace_leads_from_the_release_to_the_training_examples(audited: Audited) -> None:
    drawn = json.loads(audited.asked("trace", first(audited), "--format", "json").stdout)
    kinds = {node["kind"] for node in drawn["nodes"]}
    assert {"release", "model", "data", "decision"} <= kinds
    record = load_record(audited.workspace / "runs" / audited.runs["released"] / "run.json")
    assert str(record.inputs.training_root) in json.dumps(drawn)
    ends = {edge["source"] if "source" in edge else edge["from"] for edge in drawn["edges"]}
    assert len(ends) > 5
    for form, begins in (("dot", "digraph"), ("mermaid", "flowchart"), ("svg", "<svg")):
        assert begins in audited.asked("trace", first(audited), "--format", form).stdout


def test_checks_say_that_criteria_were_not_committed(audited: Audited) -> None:
    found = answer(audited, "checks", first(audited), exit_code=1)
    said = found["facts"]["acceptance criteria committed before the result"]
    assert said is False  # nobody committed that policy


def test_diff_names_seed_owner_and_the_cases_that_turned(audited: Audited) -> None:
    second = str(audited.versions[1])
    found = answer(audited, "diff", first(audited), second)
    changed = {row["what"]: (row["first"], row["second"]) for row in rows(found, "configuration")}
    assert changed["model.seed"] == (20, 21)
    assert changed["owner"] == ("unnamed", "Radiology")
    (sensitivity,) = [row for row in rows(found, "metrics") if row["metric"] == "sensitivity"]
    assert sensitivity["change lower"] <= sensitivity["change estimate"]
    assert {row["turned"] for row in rows(found, "cases")} <= {"gained", "lost"}


def test_looks_are_counted_with_their_runs(audited: Audited) -> None:
    found = answer(audited, "looks", "small")
    told = json.dumps(found)
    assert audited.runs["blocked"] in told and audited.runs["failed"] not in told


def test_impact_of_a_training_image_names_the_releases(audited: Audited) -> None:
    row = audited.data.of_split("train")[0]
    for how in (("--case", row["case_id"]), ("--image", audited.data.folder / row["path"])):
        told = json.dumps(answer(audited, "impact", *how))
        assert first(audited) in told and audited.runs["second"] in told
    told = json.dumps(
        answer(audited, "impact", "--package", f"tensorflow=={version('tensorflow')}")
    )
    assert first(audited) in told


def test_live_knows_the_rollback(audited: Audited) -> None:
    entries = Ledger(audited.workspace / "ledger.jsonl").entries()
    back = next(entry for entry in entries if entry.kind == "rollback")
    after = json.dumps(answer(audited, "live", "--at", back.at))
    assert str(audited.versions[-1]) in after
    release = next(entry for entry in entries if entry.kind == "release")
    before = json.dumps(answer(audited, "live", "--at", release.at))
    assert (
        first(audited) in before
        and str(audited.versions[-1]) not in before.replace(first(audited), "").split("still")[0]
    )


def test_blocked_says_why_and_who_waived(audited: Audited) -> None:
    told = json.dumps(answer(audited, "blocked"))
    for words in (audited.runs["blocked"], "auc[overall].floor", "Dr. Ito", "Dr. Weber"):
        assert words in told
    assert audited.runs["failed"] in told and audited.runs["killed"] in told


def test_performance_is_what_the_decision_has(audited: Audited) -> None:
    found = answer(audited, "performance", first(audited))
    decided = json.loads(
        (audited.workspace / "runs" / audited.runs["released"] / "decision.json").read_text()
    )
    (wanted,) = [c for c in decided["checks"] if c["check"] == "sensitivity[overall].floor"]
    (got,) = [
        row
        for row in rows(found, "performance")
        if (row["attribute"], row["metric"]) == ("overall", "sensitivity")
    ]
    assert (got["estimate"], got["lower"], got["upper"], got["n"]) == (
        wanted["estimate"],
        wanted["lower"],
        wanted["upper"],
        wanted["n"],
    )
    assert {row["value"] for row in rows(found, "performance") if row["attribute"] == "device"} == {
        "Aster",
        "Boreal",
        "Cirrus",
    }


def test_training_data_are_independent_of_the_case_set(audited: Audited) -> None:
    found = answer(audited, "independence", first(audited))
    assert "independent" in json.dumps(found["facts"])


def test_sql_answers_what_nobody_thought_of(audited: Audited) -> None:
    query = "SELECT state, count(*) AS n FROM runs GROUP BY state ORDER BY state"
    found = answer(audited, "sql", query)
    (table,) = found["tables"].values()
    counted = {row["state"]: row["n"] for row in table}
    assert counted["killed"] == 1 and counted["failed"] == 1
    refused = audited.asked("sql", "DELETE FROM Artifact")
    assert refused.exit_code == 2


def test_verify_finds_all_as_it_was_recorded(audited: Audited) -> None:
    found = audited.asked("verify", "--all")
    assert found.exit_code == 0, found.output


def test_a_rollback_is_on_record_at_once(spoiled: Audited) -> None:
    taken = casegate(
        *("rollback", "--to", spoiled.versions[1], "--workspace", spoiled.workspace),
        *("--by", "Dr. Okafor", "--reason", "the ward was right"),
    )
    assert taken.exit_code == 0, taken.output
    assert spoiled.asked("verify", "--all").exit_code == 0
    counted = answer(spoiled, "sql", "SELECT count(*) AS n FROM releases WHERE kind = 'rollback'")
    assert next(iter(counted["tables"].values())) == [{"n": 2}]


def test_no_question_needs_tensorflow(audited: Audited) -> None:
    heavy = "[m for m in ('tensorflow', 'tfx', 'keras', 'ml_metadata') if m in sys.modules]"
    questions = [
        ["show", first(audited)],
        ["trace", first(audited)],
        ["impact", "--case", "x"],
        ["verify", "--all"],
        ["performance", first(audited)],
        ["card", first(audited)],
        ["list"],
    ]
    code = (
        "import sys; from click.testing import CliRunner; from pipeline.cli import main\n"
        f"for words in {questions!r}:\n"
        f"    where = ['--workspace', {str(audited.workspace)!r}]\n"
        "    CliRunner().invoke(main, ['lineage', *words, *where])\n"
        f"    print(words[0], {heavy})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"{words[0]} []" for words in questions], done.stderr


def test_a_bundle_stands_alone_and_a_stranger_s_key_does_not_count(
    audited: Audited, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.zip"
    made = audited.asked("export", first(audited), "--out", bundle)
    assert made.exit_code == 0, made.output
    sound = casegate("lineage", "check", bundle, "--key", audited.public_key)
    assert sound.exit_code == 0, sound.output
    assert casegate("lineage", "check", bundle).exit_code == 3
    casegate("keys", "init", "--out", tmp_path, "--name", "stranger")
    strange = casegate("lineage", "check", bundle, "--key", tmp_path / "stranger.pub.pem")
    assert strange.exit_code in (3, 4)


# Tampering


@pytest.mark.parametrize(
    "tamper, named",
    TAMPERINGS,
    ids=lambda value: getattr(value, "__name__", None),
)
def test_verify_finds_what_was_tampered_with(
    spoiled: Audited, tamper: Callable[[Audited], None], named: str
) -> None:
    tamper(spoiled)
    found = spoiled.asked("verify", "--all")
    assert found.exit_code == 4, found.output
    assert any(word in found.output for word in named.split("|")), found.output


def test_pusher_refuses_a_decision_that_was_altered_after_it_was_signed(
    spoiled: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing = attestor.attest_decision

    def sign_then_edit(folder: Path, *given: Any) -> Path:
        envelope = signing(folder, *given)
        page = folder / "report.html"
        page.write_text(page.read_text().replace("</html>", "<!-- better -->\n</html>"))
        return envelope

    monkeypatch.setattr(attestor, "attest_decision", sign_then_edit)
    monkeypatch.setenv("CASEGATE_KEY", str(spoiled.key))
    before = released_sha256(spoiled.workspace)
    served = sorted((spoiled.workspace / "serving/pneumonia").iterdir())
    with refused(SignatureError, "report.html"):
        watched_run(spoiled.data.config(SIGNED, "model.seed=31"), spoiled.workspace)
    assert released_sha256(spoiled.workspace) == before
    assert sorted((spoiled.workspace / "serving/pneumonia").iterdir()) == served
    assert sha256_tree(served[-1]) == before


def test_without_a_key_nothing_starts(spoiled: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CASEGATE_KEY", raising=False)
    refused = casegate(
        *("run", "--data", spoiled.data.folder, "--workspace", spoiled.workspace),
        *("--set", "model.seed=41"),
    )
    assert refused.exit_code == 2 and "CASEGATE_KEY" in refused.output
