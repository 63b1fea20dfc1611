"""Runs the graph on Beam and reads back what was decided and what is really released."""

import gc
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.attestation.keys import VARIABLE, load_signers, load_trusted
from components.baselines.names import POLICY
from components.baselines.scores import load_scores
from components.decision import Decision, Verdict, load_decision
from components.lineage.address import Redacting, read_password
from components.lineage.record import Released, Why
from components.records import events
from components.records.clock import time_id
from components.records.errors import CasegateError, ConfigError, IntegrityError
from components.records.files import write_atomically
from components.records.git import distrust
from components.records.ledger.ledger import Ledger
from components.records.ledger.records import releases
from components.records.problems import read_problem
from components.records.run_files import DECISION, HTML_REPORT, LOG, REPORT, REQUEST, read_request
from components.records.text import last_line
from components.release.placing import discard_interrupted
from components.release.serving import Champion, find_champion, record_release
from pipeline.federation.sites import refuse_unready
from pipeline.model.cluster import refuse_unfit_place
from pipeline.run.asking import ask_again, refuse_unaskable
from pipeline.run.engine import beam_arguments, job_server
from pipeline.run.inputs import Inputs, prepare
from pipeline.run.recorder import Recorder, close_dead
from pipeline.settings.config import REPOSITORY, Config
from pipeline.settings.workspace import Workspace

MANUAL = Why("manual")


@dataclass(frozen=True)
class RunOutcome:
    """What a run came to.

    Attributes:
      exit_code: 0 only where the decision passed and the model is at the destination.
      served_from_cache: nothing ran, because nothing that could change the verdict changed.
      release: the version now released, if any.
      synthetic: whether the judged images are.
      report: the page for people; `summary` beside it is the same for a pull request.
      log: None where nothing ran.
      policy: what judged, where no person has approved a model under it yet.
    """

    decision: Decision
    exit_code: int
    served_from_cache: bool
    release: Champion | None
    synthetic: bool
    report: Path
    log: Path | None
    policy: Path | None = None

    @property
    def summary(self) -> Path:
        return self.report.with_name(REPORT)

    @property
    def already_released(self) -> bool:
        """Whether the candidate is a model that an earlier run released."""
        passed = self.decision.verdict is Verdict.PASS and self.release is not None
        return self.decision.already_released or (self.served_from_cache and passed)

    def as_json(self) -> dict[str, Any]:
        """The outcome for machines: the whole decision, and where everything is."""
        return {
            "verdict": self.decision.verdict.value,
            "exit_code": self.exit_code,
            "served_from_cache": self.served_from_cache,
            "already_released": self.already_released,
            "release": str(self.release.path) if self.release else None,
            "version": self.release.version if self.release else None,
            "report": str(self.report),
            "summary": str(self.summary),
            "log": str(self.log) if self.log else None,
            "decision": json.loads(self.decision.to_json()),
        }


def run(
    config: Config,
    root: Path,
    *,
    listener: Callable[[events.Event], None],
    why: Why = MANUAL,
    champion_scores: Path | None = None,
) -> RunOutcome:
    """One run from data to verdict; holds the workspace while it lasts, and leaves a record.

    Args:
      root: the workspace's folder.
      listener: called with components and epochs as they start and finish.
      why: what started the run.
      champion_scores: a scores.json of the released model, where it is released elsewhere and
        this workspace serves nothing.

    Raises:
      CasegateError: whatever ended the run without a verdict; its `exit_code` says how.
    """
    workspace = Workspace(root.resolve())
    workspace.refuse_pattern()
    with workspace.opened(), events.listen(listener):
        workspace.keep_store_at(config.metadata)
        close_dead(workspace)
        with Recorder(config, workspace, time_id(), why).recording() as recorder:
            outcome = _run(config, workspace, recorder, champion_scores)
            state = _state(outcome, releasing=config.serving.release)
            released = outcome.release if state == "released" else None
            recorder.end(
                state,
                exit_code=outcome.exit_code,
                decision=None if outcome.served_from_cache else outcome.decision,
                release=_released(released, workspace) if released else None,
            )
    return outcome


def _run(
    config: Config, workspace: Workspace, recorder: Recorder, champion_scores: Path | None
) -> RunOutcome:
    events.publish("started", "inputs")
    inputs = prepare(config, workspace, recorder.record.run_id, champion_scores=champion_scores)
    recorder.record_inputs(inputs)
    for line in inputs.source.read_as.lines:
        events.publish("notice", detail=line)
    if inputs.spans and inputs.spans.notice:
        events.publish("progress", detail=inputs.spans.notice)
    if advice := distrust(REPOSITORY):
        events.publish("progress", detail=f"the record names no commit: {advice}")
    events.publish("finished", "inputs")
    if inputs.champion:
        # A run killed between the push and its entry left this to the next one.
        record_release(Ledger(workspace.ledger), inputs.champion, workspace=workspace.root)
    known = _unchanged(inputs)
    if known is not None:
        return known
    refuse_unsigned(inputs)
    refuse_unaskable(inputs)
    if config.training.strategy == "multi_worker":
        refuse_unfit_place()
    if config.training.strategy == "federated":
        refuse_unready(config.training.federation)
    log = workspace.run_folder(inputs.run_id) / LOG
    _verify_network(config, log)
    arguments = beam_arguments(config.beam, [workspace.root])
    discard_interrupted(inputs.destination, workspace.root, Ledger(workspace.ledger))
    folder = workspace.run_folder(inputs.run_id)
    write_atomically(folder / REQUEST, inputs.gate_request().encode())
    run_graph(inputs, log, arguments, "create_pipeline")
    return _outcome(inputs, log)


def refuse_unsigned(inputs: Inputs) -> None:
    """Raises ConfigError where the run's keys are not those that its release has to be signed by.

    A key that is given has to count, even where unsigned releases are allowed: a signature that
    nobody trusts looks like one that somebody does. Without golden nothing can be released, and the
    folder of the keys may not be there yet; so the first run on new data needs none. Nor does a run
    that releases nothing.
    """
    if not inputs.golden_sha256 or not inputs.config.serving.release:
        return
    signing, signers = inputs.config.signing, load_signers()
    if not signers:
        if signing.unsigned:
            return
        raise ConfigError(
            f"{VARIABLE}: names no private key, and a release has to be signed; make one with "
            "`casegate keys init`, or allow unsigned releases with signing.unsigned: true"
        )
    trusted = {key.id for key in load_trusted(inputs.keys)}
    counting = {signer.id for signer in signers} & trusted
    if len(counting) < signing.threshold:
        raise ConfigError(
            f"{VARIABLE}: got {len(counting)} of {len(signers)} keys that are in {inputs.keys}, "
            f"wanted {signing.threshold}; put NAME.pub.pem there, in a commit of its own"
        )


def _state(outcome: RunOutcome, *, releasing: bool) -> str:
    """What became of the run, as its record names it."""
    if outcome.served_from_cache:
        return "unchanged"
    if outcome.decision.already_released:
        return "already_released"
    return {
        Verdict.PASS: "released" if releasing else "passed",
        Verdict.FAIL: "blocked",
        Verdict.INCONCLUSIVE: "inconclusive",
    }[outcome.decision.verdict]


def _released(release: Champion, workspace: Workspace) -> Released:
    wanted = (release.version, release.sha256)
    # Written by Pusher, or by this run's first look at the destination.
    *_, last = (
        entry
        for entry in releases(Ledger(workspace.ledger).entries())
        if (entry.version, entry.model_sha256) == wanted
    )
    return Released(last.destination, last.version, last.model_sha256, last.attestation_sha256)


def _verify_network(config: Config, log: Path) -> None:
    """Builds and runs another network than the default before anything is read for it."""
    if config.model.network == "small" and config.model.saved_model is None:
        return
    events.publish("started", "network")
    with noise_to(log), _imports_uncollected():
        # Importing TensorFlow Transform sets this to 1 where it is unset, and Keras 2 with it.
        os.environ["TF_USE_LEGACY_KERAS"] = "0"
        if config.model.saved_model is not None:
            from pipeline.model.ready_made import verify_ready_made

            verify_ready_made(Path(config.model.saved_model))
        else:
            from pipeline.model.networks.building import verify

            verify(config.model)
    events.publish("finished", "network")


def run_graph(inputs: Inputs, log: Path, arguments: Sequence[str], part: str) -> None:
    """Runs the graph, or a part of it, with all that is printed meanwhile in the log.

    Args:
      arguments: Beam's.
      part: the function of `pipeline.run.pipeline` that makes it.

    Raises:
      CasegateError: what a component refused, or that it failed.
    """
    workspace = inputs.workspace
    with noise_to(log):
        try:
            with job_server(arguments) as served:
                _run_graph(inputs, served, part)
        except Exception as error:
            logging.getLogger(__name__).exception("the graph failed")
            if _is_interrupt(error):
                raise KeyboardInterrupt from None
            words = f"internal error: {_in_one_line(error)}; the whole story is in {log}"
            raise read_problem(workspace.problems) or CasegateError(words) from None


def _run_graph(inputs: Inputs, arguments: Sequence[str], part: str) -> None:
    events.publish("started", "import TFX")
    with _imports_uncollected():
        from components.lineage.tfx_runner import EventfulBeamDagRunner
        from pipeline.run import pipeline
    events.publish("finished", "import TFX")
    workspace = inputs.workspace
    name = workspace.pipeline_run(inputs.run_id)
    runner = EventfulBeamDagRunner.for_run(name, workspace.store, arguments)
    runner.run(getattr(pipeline, part)(inputs))


@contextmanager
def _imports_uncollected() -> Iterator[None]:
    """What is imported stays until the process ends, so garbage is not looked for in it.

    Without, each collection walks through all of TFX: a quarter of the import, and a second and a
    half at the end of the process.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _outcome(inputs: Inputs, log: Path) -> RunOutcome:
    """The exit code, from the persisted decision and from what is really at the destination."""
    folder = inputs.workspace.run_folder(inputs.run_id)
    decision = load_decision(folder / DECISION)
    release = find_champion(inputs.destination, inputs.workspace.runs)
    before = inputs.champion.sha256 if inputs.champion else None
    after = release.sha256 if release else None
    passed = decision.verdict is Verdict.PASS and not decision.already_released
    if passed and inputs.config.serving.release:
        if after is None or after != decision.hashes["candidate"]:
            raise CasegateError(
                f"{inputs.destination}: the candidate passed but is not there; see {log}"
            )
    elif after != before:
        raise IntegrityError(f"{inputs.destination}: changed although the candidate did not pass")
    synthetic = inputs.case_source.synthetic
    report = folder / HTML_REPORT
    policy = _unapproved(inputs)
    return RunOutcome(decision, decision.exit_code, False, release, synthetic, report, log, policy)


def _unapproved(inputs: Inputs) -> Path | None:
    return None if inputs.golden_sha256 else inputs.baseline / POLICY


def _unchanged(inputs: Inputs) -> RunOutcome | None:
    """The last decision on exactly these inputs, if it still describes what is released."""
    synthetic = inputs.case_source.synthetic
    now_released = inputs.champion.sha256 if inputs.champion else None
    for path in sorted(inputs.workspace.runs.glob(f"*/{REQUEST}"), reverse=True):
        request = read_request(path)
        decided = path.parent / DECISION
        if request["fingerprint"] != inputs.fingerprint or not decided.exists():
            continue
        decision = load_decision(decided)
        if ask_again(inputs.policy.sites, decision, path.parent):
            continue
        if decision.verdict is Verdict.PASS and inputs.config.serving.release:
            holds = now_released is not None and now_released in (
                decision.hashes["candidate"],
                decision.hashes["champion"] if decision.already_released else None,
            )
        else:
            before = inputs.champion_scores and load_scores(inputs.champion_scores[0]).model_sha256
            holds = (before or now_released) == decision.hashes["champion"]
        report = path.parent / HTML_REPORT
        if holds and report.exists():
            return RunOutcome(
                decision,
                decision.exit_code,
                True,
                inputs.champion,
                synthetic,
                report,
                None,
                _unapproved(inputs),
            )
    return None


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether a person ended it; Beam makes a RuntimeError of whatever ends a component."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _in_one_line(error: BaseException) -> str:
    # Beam puts the traceback first and the error itself last.
    return f"{type(error).__name__}: {last_line(str(error))}"


class _FirstWarnings(logging.Filter):
    """TFX repeats at each component what nobody can act on; the first time is enough."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message, before = record.getMessage(), len(self._seen)
        if record.levelno == logging.WARNING:
            self._seen.add(message)
        return record.levelno != logging.WARNING or len(self._seen) > before


@contextmanager
def noise_to(log: Path) -> Iterator[None]:
    """Sends everything written to the process's own output, C++ included, to the log file."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with log.open("a", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        handler = logging.StreamHandler(file)
        handler.addFilter(Redacting([read_password()]))
        handler.addFilter(_FirstWarnings())
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        root = logging.getLogger()
        level = root.level
        # Beam says thousands of times which annotation it does not know.
        logging.getLogger("apache_beam.typehints").setLevel(logging.WARNING)
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        try:
            yield
        finally:
            root.removeHandler(handler)
            root.setLevel(level)
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            for descriptor in saved:
                os.close(descriptor)
