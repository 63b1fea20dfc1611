"""The pipeline's place taken by scores that exist: what a run leaves, without one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from components.baselines.golden import load_golden
from components.baselines.scores import CaseScores, load_scores, save_scores
from components.decision import save_decision
from components.gate.conditions import EvaluatorFindings
from components.gate.decide import decide
from components.gate.policy import load_policy
from components.lineage.record import Why
from components.records.clock import time_id
from components.records.errors import CasegateError
from components.records.events import Event
from components.records.run_files import DECISION, HTML_REPORT, LOG, SCORES
from pipeline.run.runner import RunOutcome
from pipeline.settings.config import Config
from tests.components.cases.making import write_npz
from tests.pipeline.ci.making import Repository, candidate
from tests.pipeline.score_making import CASES


@dataclass
class Call:
    config: Config
    root: Path
    champion: CaseScores | None


@dataclass
class FakeRun:
    """Takes the arguments of `pipeline.run.runner.run`, and judges `candidate` as a run would.

    Attributes:
      error: raised in place of a verdict.
      locked: whether the repository's only baseline was renamed to `locked`.
    """

    team: Repository
    candidate: CaseScores = field(default_factory=lambda: candidate(4))
    error: type[CasegateError] | None = None
    locked: bool = False
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.data()

    def data(self, rows: int = 20) -> None:
        """The images of the repository, which git ignores; other rows are other data."""
        (self.team.root / "data").mkdir(exist_ok=True)
        write_npz(self.team.root / "data" / "chest.npz", rows=rows)

    def __call__(
        self,
        config: Config,
        root: Path,
        *,
        listener: Callable[[Event], None],
        why: Why,
        champion_scores: Path | None,
    ) -> RunOutcome:
        champion = load_scores(champion_scores) if champion_scores else None
        self.calls.append(Call(config, root, champion))
        folder = root / "runs" / time_id()
        folder.mkdir(parents=True)
        if self.error:
            (folder / LOG).write_text("noise")
            raise self.error(f"planted; see {folder / LOG}")
        baseline = self.team.root / "baselines" / ("locked" if self.locked else "chest")
        decision = decide(
            policy=load_policy(baseline / "policy.yaml"),
            case_set=CASES,
            candidate=self.candidate,
            champion=champion,
            golden=load_golden(baseline / "golden.json"),
            evaluator=EvaluatorFindings(True),
            findings=(),
            run_id=folder.name,
            created="2025-03-31T12:00:00Z",
        )
        save_decision(decision, folder / DECISION)
        save_scores(self.candidate, folder / SCORES)
        (folder / HTML_REPORT).write_text("<p>report")
        return RunOutcome(
            decision, decision.exit_code, False, None, False, folder / HTML_REPORT, folder / LOG
        )
