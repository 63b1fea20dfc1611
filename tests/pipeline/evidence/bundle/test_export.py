"""A bundle holds what a release rests on, as it was recorded, and is the same every time."""

import json
from pathlib import Path

import pytest

from components.bundle.archive import read_archive
from components.records.errors import ConfigError, IntegrityError
from tests.foreign import answer, complaint, needs
from tests.pipeline.evidence.bundling import bundled
from tests.pipeline.evidence.releasing import RUN, ReleasedRun, released
from tests.refusing import refused

ALWAYS = {
    "MANIFEST.json", "README.md", "bom.cdx.json", "case_set.json", "champion_scores.json",
    "config.json", "decision.json", "golden.json", "ledger.jsonl", "lineage.json",
    "lineage_cache.json", "openlineage.jsonl", "policy.yaml", "prov.json", "report.html",
    "report.md", "request.json", "run.json", "scores.json", "trace.json", "trace.svg",
    "trace.txt",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ReleasedRun:
    return released(tmp_path_factory.mktemp("export"))


def test_it_holds_all_that_a_release_rests_on(run: ReleasedRun, tmp_path: Path) -> None:
    files = read_archive(bundled(run, tmp_path / "b.zip"))
    manifest = f"training/{run.record.inputs.training_root}.jsonl"
    assert files.keys() == ALWAYS | {manifest}
    assert (
        files["decision.json"]
        == run.workspace.run_folder(RUN).joinpath("decision.json").read_bytes()
    )


def test_the_same_release_gives_the_same_bytes(run: ReleasedRun, tmp_path: Path) -> None:
    first, second = bundled(run, tmp_path / "a.zip"), bundled(run, tmp_path / "b.zip")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("more", [b"{}\n", b"half a line"])
def test_a_training_manifest_that_was_altered_goes_into_no_bundle(
    tmp_path: Path, more: bytes
) -> None:
    run = released(tmp_path / "spoiled")
    (path,) = run.workspace.training.glob("*.jsonl")
    path.write_bytes(path.read_bytes() + more)
    with refused(IntegrityError, path):
        bundled(run, tmp_path / "b.zip")


def test_the_training_manifest_may_be_left_out_and_its_root_stays(
    run: ReleasedRun, tmp_path: Path
) -> None:
    files = read_archive(bundled(run, tmp_path / "b.zip", training_manifest=False))
    about = json.loads(files["MANIFEST.json"])["about"]
    assert not any(name.startswith("training/") for name in files)
    assert (about["training_root"], about["training_bytes"]) == (
        run.record.inputs.training_root,
        None,
    )
    assert b"left out as asked" in files["README.md"]


def test_the_model_is_in_it_only_where_it_is_wanted(run: ReleasedRun, tmp_path: Path) -> None:
    files = read_archive(bundled(run, tmp_path / "b.zip", model=True))
    assert files["model/saved_model.pb"] == b"a model"


def test_cards_are_taken_in(run: ReleasedRun, tmp_path: Path) -> None:
    path = bundled(run, tmp_path / "b.zip", cards={"model_card.md": b"# 7"})
    assert read_archive(path)["model_card.md"] == b"# 7"


def test_the_ledger_ends_with_the_last_entry_on_the_release(
    run: ReleasedRun, tmp_path: Path
) -> None:
    lines = read_archive(bundled(run, tmp_path / "b.zip"))["ledger.jsonl"].splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds == ["look", "look", "decision", "release", "run"]


def test_an_altered_file_is_not_exported(tmp_path: Path) -> None:
    run = released(tmp_path)
    (run.workspace.run_folder(RUN) / "report.md").write_bytes(b"all is well\n")
    with refused(IntegrityError, "report.md: "):
        bundled(run, tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()


def test_a_missing_file_is_not_exported_over(tmp_path: Path) -> None:
    run = released(tmp_path)
    (run.workspace.run_folder(RUN) / "scores.json").unlink()
    with refused(IntegrityError, "scores.json"):
        bundled(run, tmp_path / "b.zip")


def test_a_replaced_model_is_not_exported(tmp_path: Path) -> None:
    run = released(tmp_path)
    (run.workspace.root / "serving/chest/7/saved_model.pb").write_bytes(b"another")
    with refused(IntegrityError, "serving/"):
        bundled(run, tmp_path / "b.zip", model=True)


def test_a_policy_that_nobody_kept_is_said_to_be_absent(tmp_path: Path) -> None:
    run = released(tmp_path)
    (copy,) = (run.workspace.root / "inputs").glob("policy-*.yaml")
    copy.unlink()
    files = read_archive(bundled(run, tmp_path / "b.zip"))
    assert "policy.yaml" not in files
    assert b"policy.yaml: no copy of" in files["README.md"]


def test_a_folder_that_cannot_be_written_to_is_a_usage_error(run: ReleasedRun) -> None:
    with refused(ConfigError, "/proc/b.zip"):
        bundled(run, Path("/proc/b.zip"))


def test_public_keys_of_the_baseline_are_taken_in(tmp_path: Path) -> None:
    run = released(tmp_path)
    keys = run.workspace.baselines / "planted" / "keys"
    keys.mkdir()
    (keys / "Dr Lang.pub.pem").write_bytes(b"a key")
    (keys / "secret.pem").write_bytes(b"-----PRIVATE-----")
    files = read_archive(bundled(run, tmp_path / "b.zip"))
    assert files["keys/Dr_Lang.pub.pem"] == b"a key"
    assert not any(b"-----PRIVATE-----" in content for content in files.values())


def test_unzip_sha256sum_and_jq_read_a_bundle_and_find_an_altered_file(
    run: ReleasedRun, tmp_path: Path
) -> None:
    unzip, jq = needs("unzip", "Debian's unzip"), needs("jq", "Debian's jq")
    sums = [needs("sha256sum", "Debian's coreutils"), "--check", "--strict", "-"]
    answer(unzip, "-q", bundled(run, tmp_path / "b.zip"), "-d", tmp_path / "out")
    listing = r'.files[] | "\(.sha256)  \(.name)"'
    listed = answer(jq, "-r", listing, tmp_path / "out" / "MANIFEST.json").encode()
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert answer(*sums, given=listed, cwd=tmp_path / "out").count(": OK\n") == len(files) - 1
    for path in files:
        if path.suffix in (".json", ".jsonl"):
            answer(jq, "-e", 'type == "object"', path)
    (tmp_path / "out" / "decision.json").write_bytes(b"{}\n")
    assert "decision.json: FAILED" in complaint(*sums, given=listed, cwd=tmp_path / "out")
