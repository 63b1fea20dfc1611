"""A real git repository with a baseline in it, of which a test stages and commits what it wants."""

from components.baselines.case_set import CaseSet, save_case_set
from components.baselines.golden import Approval, Golden, save_golden
from pipeline.ci.hooks.revision import Rule, check_revisions
from tests.components.planting import CHEST_POLICY, locked, scored
from tests.pipeline.ci.making import Repository

BASELINE = "baselines/chest"
POLICY = CHEST_POLICY
CASES = locked(40, 40)


class Repo(Repository):
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
        self.stage(f"{BASELINE}/history/{kept}", self.git_bytes("show", f"HEAD:{BASELINE}/{name}"))

    def commit(self, message: str = "Change\n\nApproved by: Dr. Okafor, A. Radiologist") -> str:
        """A commit of what is staged, and of nothing else."""
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
