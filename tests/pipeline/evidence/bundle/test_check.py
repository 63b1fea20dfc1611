"""A bundle is sound or the first thing that is not is named; nothing beside it is needed."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from components.baselines.case_set import load_case_set, save_case_set
from components.baselines.golden import Golden, load_golden, save_golden
from components.bundle.archive import as_path, read_archive, write_archive
from components.records.errors import IntegrityError
from components.records.files import sha256_json
from pipeline.evidence.answer import Answer
from pipeline.evidence.bundle.check import check
from pipeline.evidence.bundle.derived import made_with
from pipeline.settings.config import REPOSITORY
from tests.pipeline.evidence.bundling import bundled, rechained, resealed
from tests.pipeline.evidence.releasing import ReleasedRun, released
from tests.refusing import refused

ADDED = b'{"added": true}\n'


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ReleasedRun:
    return released(tmp_path_factory.mktemp("check"))


@pytest.fixture(scope="module")
def whole(run: ReleasedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with everything that may be in one."""
    cards = {"model_card.md": b"# card\n", "model_card.html": b"<p>card</p>\n"}
    out = tmp_path_factory.mktemp("bundle") / "b.zip"
    return bundled(run, out, model=True, cards=cards)


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    path = tmp_path / "b.zip"
    path.write_bytes(whole.read_bytes())
    return path


def checked(path: Path, **options: object) -> Answer:
    return check(path, **options)  # type: ignore[arg-type]


def result(answer: Answer, what: str) -> tuple[str, str]:
    """Result and detail of what was checked under this name."""
    return next((str(r), str(d)) for name, r, d in answer.tables[0].rows if name == what)


def refuses(path: Path, *facts: str) -> None:
    with refused(IntegrityError, *facts):
        checked(path)


def test_an_unsigned_bundle_is_consistent_and_no_more(bundle: Path) -> None:
    answer = checked(bundle)
    assert answer.exit_code == 3
    assert answer.facts["result"] == "consistent, and no more than that"
    unsigned = ("decision", "release")
    assert answer.notes == tuple(f"signature of the {one}: nobody signed it" for one in unsigned)


def test_the_decision_is_taken_again_from_scores_and_policy(bundle: Path, run: ReleasedRun) -> None:
    count = len(run.decision.checks) - 1
    assert result(checked(bundle), "decision taken again") == (
        "recomputed",
        f"{count} checks judged again: PASS, every figure the same",
    )
    assert result(checked(bundle), "evaluator")[0] == "not checked"


def names(path: Path) -> list[str]:
    return sorted(read_archive(path))


FILES = [
    "MANIFEST.json", "README.md", "bom.cdx.json", "case_set.json", "champion_scores.json",
    "config.json", "decision.json", "golden.json", "ledger.jsonl", "lineage.json",
    "lineage_cache.json", "model/saved_model.pb", "model_card.html", "model_card.md",
    "openlineage.jsonl", "policy.yaml", "prov.json", "report.html", "report.md", "request.json",
    "run.json", "scores.json", "trace.json", "trace.svg", "trace.txt", "training",
]  # fmt: skip
# Words for people: a new manifest may list other ones, and the answer says they are not checked.
TOLD = ("README.md", "model_card.html", "model_card.md")


def named(path: Path, name: str) -> str:
    """The file that a test calls by this name."""
    return next(found for found in names(path) if found.startswith(name))


def test_every_file_is_tried(whole: Path) -> None:
    assert [
        name.split("/")[0] if name.startswith("training") else name for name in names(whole)
    ] == FILES


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_in_any_file_is_found_and_the_file_named(bundle: Path, name: str) -> None:
    files, name = read_archive(bundle), named(bundle, name)
    files[name] = flipped(files[name])
    write_archive(bundle, files)
    refuses(bundle, name)


@pytest.mark.parametrize("name", [name for name in FILES if name not in (*TOLD, "MANIFEST.json")])
def test_a_changed_byte_is_found_when_the_manifest_was_made_to_fit(bundle: Path, name: str) -> None:
    name = named(bundle, name)
    path = resealed(bundle, {name: flipped(read_archive(bundle)[name])})
    refuses(path, name.split("/")[0])


@pytest.mark.parametrize("name", [name for name in FILES if name != "MANIFEST.json"])
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    files, name = read_archive(bundle), named(bundle, name)
    del files[name]
    write_archive(bundle, files)
    refuses(bundle, f"{name}: is missing")


@pytest.mark.parametrize(
    "name", ["decision.json", "scores.json", "champion_scores.json", "report.html", "lineage.json",
             "run.json", "ledger.jsonl", "prov.json", "bom.cdx.json", "request.json"],
)  # fmt: skip
def test_a_file_that_was_taken_out_with_its_line_in_the_manifest_is_missed(
    bundle: Path, name: str
) -> None:
    refuses(resealed(bundle, {name: None}), name)


@pytest.mark.parametrize("name", ["policy.yaml", "case_set.json", "golden.json"])
def test_what_an_old_run_did_not_keep_leaves_the_decision_open(bundle: Path, name: str) -> None:
    answer = checked(resealed(bundle, {name: None}))
    assert answer.exit_code == 3
    assert any(note.startswith("decision taken again: needs") for note in answer.notes)


def test_an_added_file_is_named(bundle: Path) -> None:
    write_archive(bundle, {**read_archive(bundle), "extra.json": ADDED})
    refuses(bundle, "extra.json: is not listed")


def test_a_file_that_was_no_part_of_the_run_is_refused(bundle: Path) -> None:
    refuses(resealed(bundle, {"uncommitted.diff": b"+ nothing\n"}), "uncommitted.diff")


def test_an_edited_line_of_the_ledger_is_found(bundle: Path) -> None:
    content = read_archive(bundle)["ledger.jsonl"]
    edited = content.replace(b'"verdict":"PASS"', b'"verdict":"FAIL"')
    assert edited != content
    refuses(resealed(bundle, {"ledger.jsonl": edited}), "ledger.jsonl:3: ")


@pytest.mark.parametrize("old, new, what", [
    ('"verdict":"PASS"', '"verdict":"FAIL"', "the verdict"),
    ('"version":7', '"version":8', "no entry put version 7"),
    ('"state":"released"', '"state":"blocked"', None),
])  # fmt: skip
def test_a_ledger_that_was_chained_anew_is_held_against_the_files(
    bundle: Path, old: str, new: str, what: str | None
) -> None:
    content = rechained(read_archive(bundle)["ledger.jsonl"], old, new)
    path = resealed(bundle, {"ledger.jsonl": content})
    if what is not None:
        refuses(path, what)
    with pytest.raises(IntegrityError):
        checked(
            path,
            holds=json.loads(read_archive(bundle)["ledger.jsonl"].splitlines()[-1])["entry_sha256"],
        )


@pytest.mark.parametrize(
    "claim",
    [
        {"subject": "version 8"},
        {"version": 8},
        {"version": None, "destination": None},
        {"destination": "serving/other"},
        {"run_id": "20250101T000000.000000Z"},
        {"workspace_id": "ffffffff"},
        {"at": "2025-01-01T00:00:00.000Z"},
        {"ledger_head": "0" * 64},
        {"ledger_entries": 4},
        {"training_root": "0" * 64},
    ],
    ids=str,
)
def test_a_manifest_that_claims_something_else_is_refused(
    bundle: Path, claim: dict[str, object]
) -> None:
    refuses(resealed(bundle, {}, **claim))


def test_a_noted_entry_is_looked_for(bundle: Path) -> None:
    head = json.loads(read_archive(bundle)["ledger.jsonl"].splitlines()[2])["entry_sha256"]
    assert result(checked(bundle, holds=head[:12]), "noted entry")[0] == "fits"
    with refused(IntegrityError, "ledger.jsonl", "0" * 64):
        checked(bundle, holds="0" * 64)


def test_a_ledger_that_was_cut_is_found(bundle: Path) -> None:
    lines = read_archive(bundle)["ledger.jsonl"].splitlines(keepends=True)
    refuses(resealed(bundle, {"ledger.jsonl": b"".join(lines[:-1])}), "no entry closes run")


def test_a_decision_that_says_other_words_than_its_hash_is_found(bundle: Path) -> None:
    decision = json.loads(read_archive(bundle)["decision.json"])
    decision["created"] = "2025-01-01T00:00:00Z"
    del decision["decision_sha256"]
    decision["decision_sha256"] = sha256_json(decision)
    refuses(resealed(bundle, {"decision.json": json.dumps(decision).encode()}), "decision.json")


DEEP = b"[" * 100_000 + b"]" * 100_000
ODD = (b"null", b"[]", b"{}", b'"x"', b"-1", b"1e999", b"[[[]]]", DEEP)


@pytest.mark.parametrize("odd", ODD, ids=[repr(odd[:6]) for odd in ODD])
def test_values_that_no_run_writes_are_refused_in_one_line(bundle: Path, odd: bytes) -> None:
    files = read_archive(bundle)
    for name in ("run.json", "decision.json", "lineage.json", "prov.json", "golden.json"):
        refuses(resealed(bundle, {name: odd}))
    for entry in range(5):
        lines = [json.loads(line) for line in files["ledger.jsonl"].splitlines()]
        if odd in (DEEP, b"1e999"):
            continue  # these no chain can be made of
        lines[entry]["body"] = {key: json.loads(odd) for key in lines[entry]["body"]}
        content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        refuses(resealed(bundle, {"ledger.jsonl": rechained(content, "\0", "\0")}))


def test_a_golden_that_somebody_else_approved_is_refused(bundle: Path, tmp_path: Path) -> None:
    golden = load_golden(as_path("golden.json", read_archive(bundle)["golden.json"]))
    other = Golden(golden.scores, replace(golden.approval, by="Nobody"))
    save_golden(other, tmp_path / "golden.json")
    changed = {"golden.json": (tmp_path / "golden.json").read_bytes()}
    refuses(resealed(bundle, changed), "golden.json is ", "run.json names ")


def test_a_case_set_with_another_author_is_refused(bundle: Path, tmp_path: Path) -> None:
    case_set = load_case_set(as_path("case_set.json", read_archive(bundle)["case_set.json"]))
    save_case_set(replace(case_set, author="Nobody"), tmp_path / "case_set.json")
    changed = {"case_set.json": (tmp_path / "case_set.json").read_bytes()}
    refuses(resealed(bundle, changed), "case_set.json is ", "run.json names ")


def test_only_the_manifest_left_out_still_checks(run: ReleasedRun, tmp_path: Path) -> None:
    answer = checked(bundled(run, tmp_path / "b.zip", training_manifest=False))
    assert result(answer, "training manifest")[0] == "not checked"
    assert result(answer, "coverage[device=Aster]")[1] == "as recorded: needs the training manifest"


def test_a_wrong_picture_is_found(bundle: Path) -> None:
    refuses(resealed(bundle, {"trace.svg": b"<svg/>"}), "trace.svg")


def test_derived_files_of_other_versions_leave_it_open(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = made_with()["casegate"]
    monkeypatch.setattr("pipeline.evidence.bundle.check.made_with", lambda: {"casegate": "9"})
    answer = checked(resealed(bundle, {"trace.svg": b"<svg/>"}))
    assert answer.exit_code == 3
    assert any(note.startswith(f"trace.svg: made with casegate {ours}") for note in answer.notes)


def test_checking_needs_neither_tensorflow_nor_the_store_nor_the_disk(bundle: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline.evidence.bundle.check import check\n"
        "check(Path(sys.argv[1]))\n"
        "heavy = {'tensorflow', 'tfx', 'ml_metadata', 'apache_beam'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    before = sorted(bundle.parent.iterdir())
    subprocess.run([sys.executable, "-c", code, str(bundle)], check=True, cwd=bundle.parent,
                   env={"PYTHONPATH": str(REPOSITORY)})  # fmt: skip
    assert sorted(bundle.parent.iterdir()) == before
