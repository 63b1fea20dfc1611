import json
import subprocess
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

import pytest

from components.cases.sources import open_source
from components.lineage.record import Code, Environment, RunRecord, Seeds, Stored, Where, Who, Why
from components.records.errors import ConfigError, IntegrityError, SourceError
from components.records.files import sha256_file
from components.records.ledger.ledger import Ledger
from components.records.run_files import DIFF
from pipeline.evidence.reproduce.restore import ScratchInputs, lay_out, recorded_code
from pipeline.evidence.subject import Evidence
from pipeline.settings import provenance
from pipeline.settings.config import REPOSITORY, load_config
from tests.components.cases.making import write_npz
from tests.pipeline.evidence.releasing import RUN, ReleasedRun, released
from tests.refusing import refused

# A project as far as its code is hashed: the hash is that of one file.
PROVENANCE = """\
import hashlib, pathlib
def code_sha256():
    return hashlib.sha256(pathlib.Path(__file__).with_name("model.py").read_bytes()).hexdigest()
"""
FIRST, EDITED = "epochs = 1\n", "epochs = 2\n"


class Project:
    """A git checkout of a tiny project, and the record of a run from it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "project"
        self.run = root / "run"
        self.run.mkdir()
        package = self.root / "pipeline"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "provenance.py").write_text(PROVENANCE)
        self.model = package / "model.py"
        self.model.write_text(FIRST)
        (self.root / "uv.lock").write_text("packages\n")
        self.git("init", "--quiet")
        self.git("add", "--all")
        self.git("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "first")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.root), *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout

    def environment(self) -> Environment:
        lock = sha256_file(self.root / "uv.lock")
        return Environment("3.10", "Linux", None, 2, None, None, lock, {"numpy": "1"})

    def record(self, *, edited: bool = False) -> RunRecord:
        """Of a run with the model as it was committed, or as it was edited afterwards."""
        diff = None
        if edited:
            self.model.write_text(EDITED)
            (self.run / DIFF).write_text(self.git("diff", "--binary", "HEAD"))
            diff = sha256_file(self.run / DIFF)
        source = sha256((EDITED if edited else FIRST).encode()).hexdigest()
        return RunRecord(
            run_id="20260101T000000.000000Z",
            workspace_id="0123abcd",
            state="released",
            started="2026-01-01T00:00:00.000Z",
            who=Who(None, None, None),
            where=Where(None, None, None, None),
            why=Why("manual"),
            code=Code(self.git("rev-parse", "HEAD").strip(), edited, diff, source),
            environment=self.environment(),
            seeds=Seeds(1, True),
            store=Stored("pipeline", "run"),
        )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """This environment is the recorded one; this checkout's code is not."""
    made = Project(tmp_path)
    monkeypatch.setattr(provenance, "recorded_environment", made.environment)
    return made


def brought_back(project: Project, record: RunRecord, scratch: Path) -> str:
    scratch.mkdir(exist_ok=True)
    code = recorded_code(
        record, project.run, scratch, say=lambda line: None, repository=project.root
    )
    assert code.folder == scratch / "code"
    return (code.folder / "pipeline" / "model.py").read_text()


def test_the_commit_is_checked_out_whatever_the_checkout_has_now(
    project: Project, tmp_path: Path
) -> None:
    record = project.record()
    project.model.write_text("epochs = 99\n")
    assert brought_back(project, record, tmp_path / "scratch") == FIRST
    assert project.model.read_text() == "epochs = 99\n"


def test_what_was_not_committed_is_applied(project: Project, tmp_path: Path) -> None:
    record = project.record(edited=True)
    project.git("checkout", "--quiet", "--", ".")
    assert brought_back(project, record, tmp_path / "scratch") == EDITED


def test_this_checkout_is_used_as_it_is_where_it_is_the_recorded_one(
    project: Project, tmp_path: Path
) -> None:
    record = project.record()
    here = replace(record, code=replace(record.code, code_sha256=provenance.code_sha256()))
    code = recorded_code(here, project.run, tmp_path, say=lambda line: None)
    assert code.folder == REPOSITORY
    assert code.how == "this checkout and environment, as they are"


@pytest.mark.parametrize("sources", ["as committed", "edited since"])
def test_programs_for_the_browser_are_lent_where_they_are_of_the_same_sources(
    project: Project, tmp_path: Path, sources: str
) -> None:
    for part in ("converter", "javascript"):
        folder = project.root / "components" / "exports" / part
        folder.mkdir(parents=True)
        (folder / "source").write_text("as committed")
    project.git("add", "--all")
    project.git("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "browser")
    (project.root / "build" / "tfjs").mkdir(parents=True)
    record = project.record()
    (folder / "source").write_text(sources)
    brought_back(project, record, tmp_path)
    lent = tmp_path / "code" / "build" / "tfjs"
    assert lent.is_dir() is (sources == "as committed")


def test_a_diff_that_was_altered_is_refused(project: Project, tmp_path: Path) -> None:
    record = project.record(edited=True)
    (project.run / DIFF).write_text((project.run / DIFF).read_text().replace("2", "3"))
    with refused(IntegrityError, DIFF):
        brought_back(project, record, tmp_path / "scratch")


def test_a_diff_that_was_not_kept_is_refused(project: Project, tmp_path: Path) -> None:
    record = project.record(edited=True)
    (project.run / DIFF).unlink()
    with refused(ConfigError, DIFF):
        brought_back(project, record, tmp_path / "scratch")


def test_a_commit_that_is_not_there_is_refused(project: Project, tmp_path: Path) -> None:
    record = project.record()
    other = replace(record, code=replace(record.code, git_commit="ab" * 20))
    with refused(ConfigError, "commit abababababab"):
        brought_back(project, other, tmp_path / "scratch")


def test_a_commit_that_is_not_known_is_refused(project: Project, tmp_path: Path) -> None:
    record = project.record()
    other = replace(record, code=replace(record.code, git_commit=None))
    with refused(ConfigError, "no commit is known"):
        brought_back(project, other, tmp_path / "scratch")


@pytest.mark.parametrize("word", ["--upload-pack=touch x", "HEAD", "a" * 40 + "\n"])
def test_a_commit_that_is_no_hash_never_reaches_git(
    project: Project, tmp_path: Path, word: str
) -> None:
    record = project.record()
    other = replace(record, code=replace(record.code, git_commit=word))
    with refused(IntegrityError, "wanted a hash"):
        brought_back(project, other, tmp_path / "scratch")


def test_code_that_git_did_not_know_is_refused(project: Project, tmp_path: Path) -> None:
    record = project.record()
    other = replace(record, code=replace(record.code, code_sha256="0" * 64))
    with refused(IntegrityError, "wanted 000000000000"):
        brought_back(project, other, tmp_path / "scratch")


def test_another_lock_file_in_the_commit_is_refused(project: Project, tmp_path: Path) -> None:
    record = project.record()
    environment = replace(record.environment, lock_file_sha256="0" * 64)
    with refused(IntegrityError, "lock file", "000000000000"):
        brought_back(project, replace(record, environment=environment), tmp_path / "scratch")


def test_hooks_of_the_checkout_do_not_run(project: Project, tmp_path: Path) -> None:
    hook = project.root / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    project.git("config", "core.hooksPath", str(hook.parent))
    brought_back(project, project.record(), tmp_path / "scratch")
    assert not (tmp_path / "ran").exists()


class Recorded:
    """A released run whose record names a configuration and data that are there."""

    def __init__(self, root: Path) -> None:
        self.run: ReleasedRun = released(root)
        self.data = write_npz(root / "chest.npz", rows=40)
        config = load_config(
            None,
            [
                f"data.source={json.dumps(str(self.data))}",
                "metadata=postgresql://casegate@db/store",
                f"serving.directory={root / 'elsewhere'}",
                "model.learning_rate=0.00001",
            ],
        )
        folder = self.run.workspace.run_folder(RUN)
        (folder / "config.json").write_text(json.dumps(asdict(config)))
        found = self.run.record
        self.record: RunRecord = replace(
            found,
            files={"config.json": sha256_file(folder / "config.json")},
            inputs=replace(found.inputs, data_sha256=open_source(str(self.data)).fingerprint()),
        )

    def laid(self, scratch: Path, **options: str) -> ScratchInputs:
        with Evidence(self.run.workspace.root) as evidence:
            return lay_out(evidence, self.record, scratch, **options)


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path / "made")


def test_nothing_goes_back_to_where_the_run_came_from(recorded: Recorded, tmp_path: Path) -> None:
    laid = recorded.laid(tmp_path / "scratch")
    config = load_config(laid.config)
    assert (config.metadata, config.serving.directory) == (None, None)
    assert config.signing.unsigned and not config.site_verdicts.ask
    assert laid.workspace.root == tmp_path / "scratch" / "workspace"


def test_settings_are_the_recorded_ones(recorded: Recorded, tmp_path: Path) -> None:
    config = load_config(recorded.laid(tmp_path / "scratch").config)
    assert config.model.learning_rate == 1e-5  # which JSON and YAML spell otherwise
    assert config.data.source == str(recorded.data)


def test_what_judged_judges_again(recorded: Recorded, tmp_path: Path) -> None:
    config = load_config(recorded.laid(tmp_path / "scratch").config)
    folder = Path(str(config.case_set.directory)) / str(config.case_set.baseline)
    inputs = recorded.record.inputs
    assert sha256_file(folder / "policy.yaml") == inputs.policy_sha256
    assert sha256_file(folder / "case_set.json") == inputs.case_set_sha256
    assert sha256_file(folder / "golden.json") == inputs.golden_file_sha256


def test_the_ledger_is_as_the_run_found_it(recorded: Recorded, tmp_path: Path) -> None:
    laid = recorded.laid(tmp_path / "scratch")
    before = Ledger(laid.workspace.ledger).entries()
    now = Ledger(recorded.run.workspace.ledger).entries()
    assert [entry.kind for entry in before] == ["look"] and len(now) > 1
    assert before == now[:1]


def test_data_that_changed_are_refused(recorded: Recorded, tmp_path: Path) -> None:
    write_npz(recorded.data, rows=41)
    with refused(IntegrityError, recorded.data, "they hash to "):
        recorded.laid(tmp_path / "scratch")


def test_data_may_lie_elsewhere_now(recorded: Recorded, tmp_path: Path) -> None:
    moved = recorded.data.rename(tmp_path / "chest.npz")
    with refused(SourceError, "--data"):
        recorded.laid(tmp_path / "scratch")
    config = load_config(recorded.laid(tmp_path / "again", data=str(moved)).config)
    assert config.data.source == str(moved)


def test_a_configuration_that_was_edited_is_refused(recorded: Recorded, tmp_path: Path) -> None:
    path = recorded.run.workspace.run_folder(RUN) / "config.json"
    path.write_text(path.read_text().replace("1e-05", "2e-05"))
    with refused(IntegrityError, "config.json: "):
        recorded.laid(tmp_path / "scratch")


@pytest.mark.parametrize("name", ["policy.yaml", "case_set.json", "golden.json"])
def test_a_judge_that_is_gone_or_altered_is_refused(
    recorded: Recorded, tmp_path: Path, name: str
) -> None:
    stem = name.partition(".")[0]
    (path,) = (recorded.run.workspace.root / "inputs").glob(f"{stem}-*")
    path.write_bytes(path.read_bytes() + b"\n")
    with refused(IntegrityError, path.name):
        recorded.laid(tmp_path / "scratch")
    path.unlink()
    with refused(ConfigError, name):
        recorded.laid(tmp_path / "again")


def test_a_champion_that_is_gone_is_said(recorded: Recorded, tmp_path: Path) -> None:
    (note,) = recorded.laid(tmp_path / "scratch").notes
    assert note == "The champion, version 6, is gone: only golden judged again."
