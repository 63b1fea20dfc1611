"""A model card filled from the record: nothing in it is invented, and what is missing says so."""

from collections.abc import Iterator, Mapping
from typing import Any

from components.attestation.keys import load_trusted
from components.card.card import (
    NOT_STATED,
    Card,
    CardSection,
    Value,
    card_html,
    card_markdown,
)
from components.records.errors import ConfigError
from components.records.run_files import DECISION_ATTESTATION
from pipeline.evidence.answer import Columns, facts_of, named, shown_of
from pipeline.evidence.bundle.names import CARD, CARD_HTML
from pipeline.evidence.card.sections import (
    TrainedOn,
    _tables,
    _texts,
    checks_section,
    compared_section,
    evaluation_section,
    exports_section,
    limits_section,
    performance_section,
    synthetic,
    trained_on,
    training_section,
)
from pipeline.evidence.card.stated import Stated, stated
from pipeline.evidence.judged import CANDIDATE, JudgedRun, judged
from pipeline.evidence.questions.performance import (
    dividing_attributes,
    figures,
)
from pipeline.evidence.signatures import signed_statements, trusted_folder
from pipeline.evidence.subject import Evidence, Subject
from pipeline.governance.decided import baseline_named_by


def card_of(evidence: Evidence, subject: Subject) -> Card:
    """The card of a run's model.

    Raises:
      ConfigError: the run came to no decision, so there is no model to speak of.
      IntegrityError: a part of the evidence was altered or is gone.
    """
    found = judged(evidence, subject)
    words = stated(baseline_named_by(evidence.workspace.run_folder(subject.run_id)))
    config = evidence.config(found.record) or {}
    rows = list(figures(found, dividing_attributes(found)))
    trained = trained_on(evidence, found)
    model = config.get("serving", {}).get("model_name") or "model"
    return Card(
        title=f"{model}, {subject.name}",
        lead=_lead(subject, found),
        warnings=tuple(_warnings(subject, found, trained, words)),
        sections=(
            _details(subject, found, config),
            CardSection("Intended use", _texts(words, "intended_use", "out_of_scope")),
            training_section(found, trained, words),
            evaluation_section(found, trained),
            performance_section(found, rows),
            compared_section(found, rows),
            checks_section(found),
            *exports_section(subject, found),
            limits_section(found, rows, trained, words),
            CardSection("Ethical considerations", _texts(words, "ethical_considerations")),
            _approvals(evidence, subject, found),
            _versions(found, words),
            CardSection("Contact", _texts(words, "contact")),
        ),
    )


def card_files(evidence: Evidence, subject: Subject) -> Mapping[str, bytes]:
    """The card in Markdown and HTML; none for a run that came to no decision, so made no model."""
    if evidence.decision(subject.run_id) is None:
        return {}
    card = card_of(evidence, subject)
    return {CARD: card_markdown(card).encode(), CARD_HTML: card_html(card).encode()}


def _lead(subject: Subject, found: JudgedRun) -> str:
    record, verdict, release = found.record, found.decision.verdict.value, subject.release
    what = "not released"
    if release:
        how = "put back" if release.kind == "rollback" else "released"
        what = f"{how} as version {release.version} on {release.at[:10]}"
    return (
        f"A classifier trained on {record.inputs.data}, decided {verdict} on "
        f"{found.decision.created[:10]} against case set {record.inputs.case_set} version "
        f"{record.inputs.case_set_version}, and {what}."
    )


def _warnings(
    subject: Subject, found: JudgedRun, trained: TrainedOn | None, words: Stated
) -> Iterator[str]:
    yield from synthetic(found, trained)
    release = subject.release
    if release is None:
        yield "This model was not released."
    elif release.kind == "rollback":
        yield f"This version is a rollback: an earlier model, put back by {release.by}."
    elif release.attestation_sha256 is None:
        yield "This release is unsigned."
    if any(check.waived for check in found.decision.checks):
        yield "A failed check was waived for this model."
    if trained and trained.join.pairs:
        yield "The training data know cases of the case set, so these figures are too good."
    if found.record.code.git_dirty:
        yield "The code that made this model differs from its commit."
    if words.sha256 and not words.commit:
        yield "What people state here is not committed in git, so nobody has approved it."


def _details(subject: Subject, found: JudgedRun, config: Mapping[str, Any]) -> CardSection:
    record, model, release = found.record, config.get("model", {}), subject.release
    size, filters = model.get("image_size"), model.get("filters")
    how = "on tuning cases, aiming at a sensitivity of {}; never on the case set"
    target = model.get("target_sensitivity")
    facts: dict[str, Value] = {
        "name": config.get("serving", {}).get("model_name"),
        "version": str(release.version) if release else "not released",
        "destination": release.destination if release else "none",
        "owner": record.who.owner if record.who.owner != "unnamed" else NOT_STATED,
        "decided": found.decision.created,
        "released": release.at if release else "not released",
        "SHA-256 of the model": found.decision.hashes["candidate"],
        "input": size and f"grey image, {size} x {size} pixels",
        "network": filters and f"convolutions with {', '.join(map(str, filters))} channels",
        "epochs at most": model.get("epochs"),
        "seed": record.seeds.seed,
        "operating point": found.decision.operating_points[CANDIDATE],
        "how it was chosen": target and how.format(target),
    }
    return CardSection("Model", facts=facts)


def _approvals(evidence: Evidence, subject: Subject, found: JudgedRun) -> CardSection:
    release, inputs = subject.release, found.record.inputs
    columns = ("check", "by", "second", "reason", "expires", "state")
    waivers = [tuple(getattr(w, name) for name in columns) for w in found.decision.waivers]
    signed = shown_of(found.record.decision, "statement_sha256")
    attested = shown_of(release, "attestation_sha256")
    facts: dict[str, Value] = {
        "golden approved by": inputs.golden_approved_by
        if inputs.golden_file_sha256
        else "no golden",
        "waivers": len(waivers) or "none",
        **_signers(evidence, subject),
        "SHA-256 of the signed statement": signed or "unsigned",
        "attestation of the release": attested or ("unsigned" if release else "not released"),
        "put in place by": release.by if release else "not released",
    }
    return CardSection("Approvals", facts=facts, tables=_tables("Waivers", columns, waivers))


def _signers(evidence: Evidence, subject: Subject) -> dict[str, Value]:
    """Whose signatures hold; a file that merely lies there is no signature."""
    folder = evidence.workspace.run_folder(subject.run_id)
    if not (folder / DECISION_ATTESTATION).exists():
        return {"decision signed by": "nobody"}
    try:
        trusted = load_trusted(trusted_folder(folder))
    except ConfigError:
        return {"decision signed by": None}
    return {
        f"{what} signed by": "nobody"
        if checked is None
        else ", ".join(checked.signers) or "nobody whose key counts"
        for what, checked in signed_statements(evidence, subject, trusted)
    }


_PACKAGES = ("casegate", "tensorflow", "keras", "tfx", "apache-beam", "numpy")
_VERSIONS: Columns = {
    "run": "record.run_id",
    "git commit": "record.code.git_commit",
    "uncommitted changes": "record.code.git_dirty",
    "SHA-256 of the source code": "record.code.code_sha256",
    "Python": "record.environment.python",
    "SHA-256 of the lock file": "record.environment.lock_file_sha256",
    **named(*_PACKAGES, of="record.environment.packages."),
    "SHA-256 of the run record": "record.record_sha256",
    "SHA-256 of the decision": "decision.decision_sha256",
    "SHA-256 of the scores": "decision.hashes.candidate_scores",
    "SHA-256 of the configuration": "record.inputs.config_sha256",
}


def _versions(found: JudgedRun, words: Stated) -> CardSection:
    committed = (words.commit or "not committed") if words.sha256 else words.missing
    stated = {"SHA-256 of what people state": words.sha256 or words.missing}
    stated["commit of what people state"] = committed
    return CardSection("Versions", facts=facts_of(found, _VERSIONS) | stated)
