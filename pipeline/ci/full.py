"""A run of the whole pipeline for a commit: it judges, and releases nothing.

It judges on the development case set, so that no commit uses up a look at the locked one; a
candidate for release is judged on that.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from components.baselines.golden import load_golden
from components.baselines.names import GOLDEN, POLICY
from components.baselines.scores import CaseScores, load_scores, save_scores
from components.decision import Decision
from components.lineage.record import Why
from components.records.errors import CasegateError
from components.records.events import Event
from components.records.files import sha256_json, write_atomically
from components.records.run_files import DECISION, HTML_REPORT, LOG, SCORES
from pipeline.ci.cache import Cache
from pipeline.ci.registry import Registry
from pipeline.ci.verify import Baseline, verify_baseline
from pipeline.run.inputs import Inputs, prepare
from pipeline.run.runner import run
from pipeline.run.score_gate import Gated
from pipeline.settings.config import CaseSetConfig, Config, ServingConfig, SigningConfig
from pipeline.settings.workspace import Workspace

RESULT_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Ran:
    """Attributes:
    gated: the decision and the scores it rests on.
    baseline: what judged.
    report: the page for people.
    from_cache: nothing ran, as nothing that decides differs from an earlier run.
    key: hash of all that decides.
    """

    gated: Gated
    baseline: Baseline
    report: Path
    from_cache: bool
    key: str


def ci_config(config: Config, *, release: bool) -> Config:
    """The settings of a commit's run: nothing released, nothing written outside its workspace.

    Args:
      release: whether the locked case set judges, and not the development one.
    """
    case_set, ci = config.case_set, config.ci
    if ci.baseline is not None and not release:
        case_set = CaseSetConfig(
            source=ci.source or case_set.source,
            baseline=ci.baseline,
            directory=ci.directory or case_set.directory,
        )
    return replace(
        config,
        metadata=None,
        case_set=case_set,
        serving=ServingConfig(model_name=config.serving.model_name, release=False),
        # What is never released needs nobody's signature, and a fork has no key.
        signing=SigningConfig(unsigned=True),
    )


def prepared(config: Config, root: Path) -> tuple[Inputs, Baseline]:
    """Everything the run rests on, hashed, and the baseline that will judge it."""
    root.mkdir(parents=True, exist_ok=True)
    inputs = prepare(config, Workspace(root), "ci")
    return inputs, verify_baseline(inputs.baseline)


def champion_of(registry: Registry | None, baseline: Baseline) -> CaseScores | None:
    """The released model's scores of the cases that judge, where a registry has them."""
    return registry.scores(baseline.case_set.merkle_root) if registry else None


def result_key(inputs: Inputs, champion: CaseScores | None) -> str:
    """Hash of all that decides a verdict, wherever on a machine it lies."""
    data = inputs.config.data
    return sha256_json(
        {
            "format": RESULT_FORMAT,
            "training": inputs.training_sha256,
            "case_source": inputs.case_source_sha256,
            "policy": inputs.policy.sha256,
            "golden": inputs.golden_sha256,
            "champion": champion.scores_sha256 if champion else None,
            "settings": [data.window, data.window_spans, data.drift],
            "beam": list(inputs.config.beam.pipeline_args),
        }
    )


def run_full(
    inputs: Inputs,
    baseline: Baseline,
    champion: CaseScores | None,
    *,
    cache: Cache | None,
    why: str,
    listener: Callable[[Event], None],
    out: Path,
) -> Ran:
    """The result on these inputs, from the cache or from a run.

    Args:
      why: one line for the run's record.
      out: gets the log of a run that fails.

    Raises:
      CasegateError: whatever ended the run without a verdict.
    """
    key = result_key(inputs, champion)
    kept = cache.find(key) if cache else None
    if kept and fits(kept.decision, baseline):
        gated = _gated(kept.decision, kept.scores, baseline, champion)
        return Ran(gated, baseline, kept.report, True, key)
    root, place = inputs.workspace.root, None
    if champion:
        place = root / "ci" / f"champion-{champion.scores_sha256[:16]}.json"
        save_scores(champion, place)
    try:
        outcome = run(
            inputs.config,
            root,
            listener=listener,
            why=Why("commit", why),
            champion_scores=place,
        )
    except CasegateError as error:
        raise _with_log_kept(error, root, out) from error
    folder = outcome.report.parent
    gated = _gated(outcome.decision, load_scores(folder / SCORES), baseline, champion)
    return Ran(gated, baseline, outcome.report, False, key)


def result_files(ran: Ran) -> dict[str, Path]:
    """What the cache keeps, by name."""
    folder = ran.report.parent
    return {name: folder / name for name in (DECISION, SCORES, HTML_REPORT)}


def fits(decision: Decision, baseline: Baseline) -> bool:
    """Whether a kept decision is by what judges now; its key says so already, if nobody lies."""
    golden = baseline.golden.scores.scores_sha256 if baseline.golden else None
    hashes = decision.hashes
    return (hashes["policy"], hashes["case_set"], hashes["golden_scores"]) == (
        baseline.policy.sha256,
        baseline.case_set.merkle_root,
        golden,
    )


def _gated(
    decision: Decision, scores: CaseScores, baseline: Baseline, champion: CaseScores | None
) -> Gated:
    models = {"candidate": scores}
    if champion:
        models["champion"] = champion
    if (baseline.folder / GOLDEN).exists():
        models["golden"] = load_golden(baseline.folder / GOLDEN).scores
    return Gated(decision, baseline.case_set, models, baseline.folder / POLICY)


def _with_log_kept(error: CasegateError, root: Path, out: Path) -> CasegateError:
    """The error, with the log of its run where it outlives the workspace."""
    logs = sorted((root / "runs").glob(f"*/{LOG}"))
    if logs and str(logs[-1]) in str(error):
        kept = out / LOG
        write_atomically(kept, logs[-1].read_bytes())
        return type(error)(str(error).replace(str(logs[-1]), str(kept)))
    return error
