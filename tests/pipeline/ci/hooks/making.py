"""A real git repository with a baseline in it, of which a test stages and commits what it wants."""

import os
import subprocess
from pathlib import Path

from components.baselines.case_set import CaseSet, save_case_set
from components.baselines.golden import Approval, Golden, save_golden
from components.records.files import write_atomically
from pipeline.ci.hooks.revision import Rule, check_revisions
from tests.components.planting import CHEST_POLICY, locked, scored

BASELINE = "baselines/chest"
POLICY = CHEST_POLICY
CASES = locked(40, 40)
WHO = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@localhost"}
WHO |= {"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@localhost"}
ALONE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


class Repo:
    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.root), *arguments],
            env={**os.environ, **WHO, **ALONE},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, name: str, content: bytes | str) -> Path:
        path = self.root / name
        write_atomically(path, content.encode() if isinstance(content, str) else content)
        return path

    def stage(self, name: str, content: bytes | str) -> None:
        self.write(name, content)
        self.git("add", "--force", "--", name)

    def stage_case_set(self, case_set: CaseSet) -> None:
        save_case_set(case_set, self.root / BASELINE / "case_set.json")
        self.git("add", BASELINE)

    def stage_golden(self, *, wrong: tuple[int, ...] = (), by: str = "Dr. Okafor") -> None:
        """Golden that somebody approved; another one for other `wrong`."""
        scores = scored(CASES, wrong=wrong, model=f"golden {wrong}")
        golden = Golden(scores, Approval(by, f"golden {wrong}", "2026-01-01T00:00:00Z"))
        save_golden(golden, self.root / BASELINE / "golden.json")
        self.git("add", BASELINE)

    def keep(self, name: str, kept: str) -> None:
        """Puts a copy of what the last commit holds into history/."""
        self.stage(f"{BASELINE}/history/{kept}", self.shown(f"HEAD:{BASELINE}/{name}"))

    def shown(self, name: str) -> bytes:
        done = subprocess.run(
            ["git", "-C", str(self.root), "show", name], capture_output=True, check=True
        )
        return done.stdout

    def commit(self, message: str = "Change\n\nApproved by: Dr. Okafor, A. Radiologist") -> str:
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def with_baseline(self) -> "Repo":
        self.stage(f"{BASELINE}/policy.yaml", POLICY)
        self.stage_case_set(CASES)
        self.stage_golden()
        self.commit()
        return self

    def found(self, *rules: Rule, **options) -> list[str]:
        """What does not hold, each with its path."""
        done = check_revisions(rules, self.root, baselines="baselines", **options)
        return [str(fault) for _, fault in done]
