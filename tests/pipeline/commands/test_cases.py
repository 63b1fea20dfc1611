"""What a person sees of `casegate cases`."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from components.baselines.case_set import load_case_set, lock_cases, save_case_set
from components.baselines.golden import save_golden
from components.cases.sources import open_source
from components.records.errors import ConfigError, IntegrityError, SourceError, UsageError
from pipeline.cli import main
from pipeline.commands.cases import draw
from pipeline.settings.workspace import Workspace
from tests.components.cases.making import picture, write_class_folders, write_npz
from tests.components.dicom.archives import radiograph, write_archive, write_dicom
from tests.components.gate.test_decide import judged
from tests.components.planting import approved, locked, scored, seen_case
from tests.pipeline.making import write_run
from tests.refusing import refusal

ODD_IDS = ("it's [bold]odd[/bold]", "line\nbreak", '患者;"x"=1', "u\u202eturned")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The one in this folder, with the baseline `own`: 20 positives, 20 negatives, odd ids."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    found = Workspace(tmp_path / "workspace")
    plain = [seen_case(i, int(i < 20)) for i in range(40)]
    seen = [
        replace(one, case_id=ODD_IDS[i]) if i < len(ODD_IDS) else one for i, one in enumerate(plain)
    ]
    case_set = lock_cases(
        seen, name="own", author="A. Reader", reason="first", date="2025-03-31", source="nowhere"
    )
    save_case_set(case_set, found.baselines / "own" / "case_set.json")
    golden = approved(scored(case_set, model="golden"))
    save_golden(golden, found.baselines / "own" / "golden.json")
    return found


def casegate(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["cases", *arguments])


def amend(*arguments: str) -> Result:
    return casegate("amend", "own", "--by", "B. Reader", "--reason", "second reading", *arguments)


def told(result: Result) -> str:
    assert result.exit_code == 0 and result.stderr == "", result.output
    return result.stdout


def test_show_counts_cases_patients_sentinels_and_every_value(workspace: Workspace) -> None:
    amend("--sentinel", "case-0007")
    lines = [" ".join(line.split()) for line in told(casegate("show", "own")).splitlines()]
    assert lines[0] == "own version 2"
    for line in (
        "cases 40: 20 positive, 20 negative",
        "patients 20: 2 images of 20",
        "sentinels 1: case-0007",
        "reason second reading",
        "device Aster 20 10 10",
    ):
        assert line in lines
    assert any(line.startswith("by B. Reader, 20") for line in lines)


def test_show_as_json_is_complete(workspace: Workspace) -> None:
    document = json.loads(told(casegate("show", "own", "--format", "json")))
    assert (document["name"], document["version"], document["parent"]) == ("own", 1, None)
    assert (document["author"], document["reason"], document["date"]) == (
        "A. Reader", "first", "2025-03-31",
    )  # fmt: skip
    assert (document["cases"], document["positives"], document["patients"]) == (40, 20, 20)
    assert document["attributes"]["device"]["values"]["Aster"] == {"positives": 10, "negatives": 10}


@pytest.mark.parametrize("columns", ["80", "120"])
def test_nothing_is_wider_than_the_terminal(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    amend("--retire", "case-0039", "--relabel", "case-0038=1")
    for page in (told(casegate("show", "own")), told(casegate("diff", "own@1", "own"))):
        assert max(map(len, page.splitlines())) <= int(columns)


def test_odd_ids_can_be_amended_and_are_shown_in_one_line_each(workspace: Workspace) -> None:
    quoted, broken, foreign, turned = ODD_IDS
    page = told(
        amend("--retire", quoted, "--sentinel", broken, "--relabel", f"{foreign}=negative",
              "--sentinel", turned)
    )  # fmt: skip
    rows = [" ".join(line.split()) for line in page.splitlines()]
    assert "retired it's [bold]odd[/bold]" in rows
    assert r'sentinel "line\nbreak" marked' in rows
    assert r'sentinel "u\u202eturned" marked' in rows
    assert 'relabelled 患者;"x"=1 positive negative' in rows
    after = {one.case_id: one for one in load_case_set(
        workspace.baselines / "own" / "case_set.json").cases}  # fmt: skip
    assert quoted not in after and after[broken].sentinel and after[foreign].label == 0


def test_amend_tells_what_became_of_golden_and_will_of_the_champion(workspace: Workspace) -> None:
    page = " ".join(told(amend("--retire", "case-0039")).split())
    assert "own version 1 became version 2" in page
    assert "golden 39 scores carried over" in page
    assert "champion scored on this version by the next run" in page


def test_diff_as_json_spells_the_changes_out(workspace: Workspace) -> None:
    amend("--retire", "case-0039", "--relabel", "case-0038=positive", "--sentinel", "case-0004")
    document = json.loads(told(casegate("diff", "own@1", "own", "--format", "json")))
    assert document["changes"] == {
        "retired": ["case-0039"],
        "relabelled": {"case-0038": ["negative", "positive"]},
        "sentinels_added": ["case-0004"],
    }
    assert document["after"]["parent"] == document["before"]["merkle_root"]


def test_diff_of_the_same_says_so(workspace: Workspace) -> None:
    assert "the same cases, labels, attributes and marks" in told(casegate("diff", "own", "own"))


@pytest.mark.parametrize("word", ["case-0038", "case-0038=2", "=1", "case-0038=Positive"])
def test_a_relabelling_that_is_none_is_a_usage_error(workspace: Workspace, word: str) -> None:
    line = refusal(amend("--relabel", word), UsageError)
    assert f"got '{word}', wanted ID=LABEL" in line


def test_refusals_are_one_line_with_the_exit_code(workspace: Workspace) -> None:
    assert "nothing to change" in refusal(amend(), ConfigError)
    assert "did you mean 'case-0005'" in refusal(amend("--retire", "case-005"), ConfigError)
    assert r'no case "x\ny"' in refusal(amend("--retire", "x\ny"), ConfigError).replace("'", "")
    refusal(casegate("show", "onw"), ConfigError, "onw: ")
    path = workspace.baselines / "own" / "case_set.json"
    path.write_text(path.read_text().replace('"label":1', '"label":0', 1))
    for command in (("show", "own"), ("diff", "own", "phantom"), ("verify", "own")):
        refusal(casegate(*command), IntegrityError, path)


def test_verify_reads_the_images_again(workspace: Workspace, tmp_path: Path) -> None:
    data = str(write_npz(tmp_path / "chest.npz", rows=6))
    assert casegate("lock", data, "--to", "chest", "--by", "A", "--reason", "r").exit_code == 0
    page = told(casegate("verify", "chest"))
    assert "chest version 1: 6 cases read again from" in page and "all as locked" in page
    write_npz(tmp_path / "chest.npz", rows=6, test_images=picture(9, (6, 8, 8)))
    line = refusal(casegate("verify", "chest", "--source", data), IntegrityError)
    assert "other patient: 6 (chest-test-00000, chest-test-00001, chest-test-00002, ...)" in line


def test_verify_without_the_source_asks_for_it(workspace: Workspace) -> None:
    refusal(casegate("verify", "own"), SourceError, "--source")


def test_the_proposed_command_can_be_pasted(workspace: Workspace) -> None:
    case_set = load_case_set(workspace.baselines / "own" / "case_set.json")
    ids = [one.case_id for one in case_set.cases]
    missed = [ids.index(name) for name in (*ODD_IDS, "case-0007")]
    past = scored(case_set, wrong=missed, model="past")
    decision = judged(past, case_set=case_set, champion=None)
    write_run(workspace, "run-1", decision, past, workspace.baselines / "own")
    page = told(casegate("propose-sentinels", "own"))
    assert "own version 1: 5 cases proposed as sentinels" in page
    assert "looked at  1 run, 1 past model" in page and "1 of 1" in page
    command = page.splitlines()[-1].replace("--by NAME --reason TEXT", "--by B --reason why")
    pasted = subprocess.run(["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True)
    words = pasted.stdout.decode().split("\0")[:-1]
    assert words[:2] == ["casegate", "cases"] and words.count("--sentinel") == 5
    assert "own version 1 became version 2" in told(casegate(*words[2:]))
    assert "0 cases proposed" in told(casegate("propose-sentinels", "own"))


def test_a_proposal_as_json_names_the_runs_it_looked_at(workspace: Workspace) -> None:
    document = json.loads(told(casegate("propose-sentinels", "own", "--format", "json")))
    assert (document["runs"], document["cases"], document["right"]) == (0, [], ["golden"])


@pytest.mark.parametrize(
    "command", ["lock", "verify", "show", "diff", "amend", "propose-sentinels"]
)
def test_every_command_has_help(command: str) -> None:
    assert "Usage:" in told(casegate(command, "--help"))


def test_the_shipped_case_sets_can_be_shown() -> None:
    for name in ("phantom", "pneumoniamnist"):
        assert f"{name} version" in told(casegate("show", name))


def test_a_large_difference_is_cut_short_in_text(workspace: Workspace) -> None:
    save_case_set(locked(100, 100), workspace.root / "case_set.json")
    page = told(casegate("diff", "own", str(workspace.root / "case_set.json")))
    assert "more: --format json lists all" in page


def test_draw_says_what_was_written_and_the_folder_is_a_source(tmp_path: Path) -> None:
    out = tmp_path / "data" / "phantom" / "span-0001"
    arguments = ["--data", "phantom:seed=3,n=60", "--out", str(out)]
    done = CliRunner().invoke(draw, arguments)
    assert done.exit_code == 0 and done.stderr == ""
    assert done.stdout == (
        f"{out}: 60 cases of 46 patients, 27 positive, from phantom:n=60,seed=3\n"
    )
    assert open_source(str(out)).name == "span-0001"


def test_a_mistake_in_draw_is_one_line_and_ends_with_2(tmp_path: Path) -> None:
    (tmp_path / "span-0001").mkdir()
    for data, out in (("phantom:n=20", "span-0001"), ("phantm", "span-0002")):
        arguments = ["--data", data, "--out", str(tmp_path / out)]
        done = CliRunner().invoke(draw, arguments)
        assert done.exit_code == 2 and done.stdout == ""
        assert done.stderr.startswith("SourceError: ") and done.stderr.count("\n") == 1


def test_a_lock_is_read_again_as_it_was_locked(tmp_path: Path, workspace: Workspace) -> None:
    root, person = write_class_folders(tmp_path / "chest"), ("--by", "A. Reader", "--reason", "r")
    for split in ("train", "test"):
        (root / split / "NORMAL").rename(root / split / "1")
        (root / split / "PNEUMONIA").rename(root / split / "2")
    lock = ("lock", str(root), *person, "--to")
    refusal(casegate(*lock, str(tmp_path / "a")), SourceError, "'2'", "data.labels")
    meant = ("--set", "data.labels={1: 0, 2: 1}")
    done = told(casegate(*lock, str(tmp_path / "b"), *meant))
    assert "1 is negative (0), 2 is positive (1)" in done
    case_set = load_case_set(tmp_path / "b" / "case_set.json")
    assert {case.label for case in case_set.cases if "/2/" in case.case_id} == {1}
    verify = ("verify", str(tmp_path / "b"), "--source", str(root))
    assert "all as locked" in told(casegate(*verify))
    turned = casegate(*verify, "--set", "data.labels={1: 1, 2: 0}")
    refusal(turned, IntegrityError, "relabelled")


def test_inspect_tells_what_an_export_is_without_its_patients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASEGATE_CACHE", str(tmp_path / "cache"))
    root = write_archive(tmp_path / "pacs", cases=6)
    write_dicom(root / "lateral", radiograph(50, ViewPosition="LL"))
    write_dicom(root / "Rossi_burned", radiograph(51, BurnedInAnnotation="YES"))
    document = json.loads(told(casegate("inspect", str(root), "--format", "json")))
    files = {(row["becomes"], row["what"]): row["files"] for row in document["groups"]}
    assert files[("case", "DX CHEST PA")] == 6
    assert files[("left out", "view LL")] == 1
    assert "Rossi" not in told(casegate("inspect", str(root)))
    assert "Rossi_burned" in told(casegate("inspect", str(root), "--paths", "--format", "json"))
    wider = casegate("inspect", str(root), "--set", "data.dicom.views=[PA, LL]", "--format", "json")
    groups = {(row["becomes"], row["what"]) for row in json.loads(told(wider))["groups"]}
    assert ("case", "DX CHEST LL") in groups


def test_inspect_refuses_an_identifier_as_attribute(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "pacs", cases=2)
    asked = casegate("inspect", str(root), "--set", "data.dicom.attributes=[PatientID]")
    refusal(asked, SourceError, "PatientID")
