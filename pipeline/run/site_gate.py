"""A site's own judgement of a candidate that a coordinator sent: only its verdict leaves.

The decision, the scores and the report stay in the site's workspace, whose ledger counts the look.
"""

import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from components.attestation.envelope import MOST_BYTES
from components.attestation.keys import PublicKey, Signer
from components.attestation.site import (
    ANSWER_SUFFIX,
    MODEL_FOLDER,
    check_model,
    read_request,
    signed_verdict,
)
from components.attestation.statements import MODEL, Statement
from components.gate.disclosure import disclose
from components.gate.policy import load_policy
from components.records.clock import current_time, parse_time
from components.records.errors import ConfigError, SourceError, UsageError
from components.records.files import write_atomically, writing_to
from components.records.ledger.ledger import Ledger
from components.records.run_files import HTML_REPORT, REPORT
from pipeline.run.score_gate import Gated, GateRequest, gate
from pipeline.run.show_gate import rendered

VERDICT = "verdict.dsse.json"  # in the run's folder: what left the site


@dataclass(frozen=True)
class SentVerdict:
    """What was decided, where it is kept, and the one file for the coordinator."""

    gated: Gated
    folder: Path
    sent: Path
    figures: int


def judge_request(
    asked: Path, own: GateRequest, *, coordinator: PublicKey, signer: Signer, inbox: Path
) -> SentVerdict:
    """Judges the candidate in a folder of a coordinator's outbox, and answers into its inbox.

    Args:
      own: the site's case set, policy, champion, images and workspace; the candidate and the names
        come from the request.
      signer: the site's key, whose name is the site's.

    Raises:
      SignatureError: the request is not the coordinator's, or the model is not what it names.
      UsageError: it was to be answered before now, or was judged here already.
      ConfigError: no answer can be put into the inbox.
    """
    request, request_sha256 = read_request(asked, coordinator)
    run_id = f"site-{request_sha256[:16]}"
    folder = own.workspace.runs / run_id
    sent = inbox / str(request.predicate["run_id"]) / f"{signer.name}{ANSWER_SUFFIX}"
    _refuse_idle(asked, request, folder, sent)
    _refuse_unsendable(sent, inbox)
    with own.workspace.opened(), tempfile.TemporaryDirectory(dir=own.workspace.root) as room:
        model = Path(room) / MODEL_FOLDER
        # Whoever may write to the outbox must not change it between the check and the scoring.
        try:
            shutil.copytree(asked / MODEL_FOLDER, model, symlinks=True)
        except (OSError, shutil.Error):
            raise SourceError(
                f"{asked / MODEL_FOLDER}: cannot be read whole; wanted the candidate's SavedModel"
            ) from None
        check_model(model, request)
        ledger = own.workspace.ledger
        seen = _judged_before(ledger, request.subjects[MODEL])
        models = {**own.models, "candidate": model}
        gated = gate(replace(own, models=models, ledger=ledger, run_id=run_id, vouched=True))
        write_atomically(folder / HTML_REPORT, rendered(gated, "html").encode())
        write_atomically(folder / REPORT, rendered(gated, "markdown").encode())
    said = disclose(load_policy(gated.policy_path), gated.case_set, gated.scores, gated.decision)
    if seen:  # its figures on two versions of a case set would tell of the cases between them
        said["figures"] = []
    content = signed_verdict(request, request_sha256, said, signer)
    assert len(content) < MOST_BYTES
    write_atomically(folder / VERDICT, content)
    _refuse_unsendable(sent, inbox)  # again: judging takes as long as a link takes to make
    with writing_to(sent, f"; the signed verdict lies in {folder / VERDICT}"):
        write_atomically(sent, content)
    return SentVerdict(gated, folder, sent, len(said["figures"]))


def _refuse_idle(asked: Path, request: Statement, folder: Path, sent: Path) -> None:
    """Raises UsageError where a look at the cases would be of no use to anybody."""
    if (folder / VERDICT).exists() and not sent.exists():
        raise UsageError(
            f"{asked}: was judged here already, and not answered; copy {folder / VERDICT} to {sent}"
        )
    if folder.exists():
        raise UsageError(
            f"{asked}: was judged here already; {folder} has what came of it. A second look is "
            "counted again: ask the coordinator for a new request"
        )
    until = request.predicate["answer_by"]
    with suppress(ValueError):  # a 13th month is no time to be in
        if current_time() <= parse_time(until):
            return
    raise UsageError(
        f"{asked}: was to be answered by {until}; ask the coordinator for a new request"
    )


def _refuse_unsendable(sent: Path, inbox: Path) -> None:
    """Raises ConfigError before a look is spent on an answer that cannot leave."""
    if sent.is_symlink() or sent.parent.is_symlink():
        raise ConfigError(f"{sent}: leads through a link; an answer lies in the inbox itself")
    if sent.exists():
        raise ConfigError(f"{sent}: an answer is there already; it is never written over")
    there = next(path for path in (sent.parent, inbox, *inbox.absolute().parents) if path.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise ConfigError(f"{inbox}: {there} cannot be written to; make it so, or say --inbox DIR")


def _judged_before(ledger: Path, model_sha256: str) -> bool:
    entries = Ledger(ledger).entries()
    return any(e.body.get("candidate_sha256") == model_sha256 for e in entries if e.kind == "look")
