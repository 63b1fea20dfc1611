"""A model card filled from the record: nothing in it is invented, and what is missing says so."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from components.card import NOT_STATED, Card, CardTable, Section
from components.errors import CasegateError, ConfigError
from components.lineage.training import manifest_path, read_manifest
from components.run_files import DECISION_ATTESTATION
from pipeline.governance.decided import baseline_named_by
from pipeline.lineage.card_stated import TEXTS, stated
from pipeline.lineage.judged import CANDIDATE, Judged, judged
from pipeline.lineage.performance import OVERALL, Figure, attributes_of, figures
from pipeline.lineage.subject import Evidence, Subject

FEW = 30  # cases of a class, below which a group's figures say little
WIDE = 0.2  # an interval as wide as this leaves the figure open
CONFIG = "config.json"


def card_of(evidence: Evidence, subject: Subject) -> Card:
    """The card of a run's model.

    Raises:
      ConfigError: the run came to no decision, so there is no model to speak of.
      IntegrityError: a part of the evidence was altered or is gone.
    """
    found = judged(evidence, subject)
    words = stated(baseline_named_by(evidence.workspace.run_folder(subject.run_id)))
    config = _config(evidence, subject.run_id)
    rows = list(figures(found, attributes_of(found.cases, found)))
    trained = _training_rows(evidence, found)
    model = str(config.get("serving", {}).get("model_name", "model"))
    return Card(
        title=f"{model}, {subject.name}",
        lead=_lead(subject, found),
        warnings=tuple(_warnings(subject, found, config)),
        sections=(
            _details(evidence, subject, found, config),
            Section("Intended use", _texts(words, "intended_use", "out_of_scope")),
            _training(found, trained, words),
            _evaluation(found),
            _performance(rows),
            _compared(found, rows),
            _checks(found),
            _limits(found, rows, trained, words),
            Section("Ethical considerations", _texts(words, "ethical_considerations")),
            _approvals(evidence, subject, found),
            _versions(found),
            Section("Contact", _texts(words, "contact")),
        ),
    )


def _lead(subject: Subject, found: Judged) -> str:
    record, verdict = found.record, found.decision.verdict.value
    what = (
        f"released as version {subject.release.version} on {subject.release.at[:10]}"
        if subject.release
        else "not released"
    )
    return (
        f"A classifier of {record.inputs.data} images, decided {verdict} on "
        f"{found.decision.created[:10]} against case set {record.inputs.case_set} version "
        f"{record.inputs.case_set_version}, and {what}."
    )


def _warnings(subject: Subject, found: Judged, config: Mapping[str, Any]) -> Iterator[str]:
    synthetic = {case.attributes.get("origin") for case in found.case_set.cases} == {"synthetic"}
    if synthetic:
        yield "Every case of the case set is synthetic: these figures say nothing about patients."
    if subject.release is None:
        yield "This model was not released."
    elif subject.release.kind == "rollback":
        yield "This version is a rollback: an earlier model, put back by a person."
    elif subject.release.attestation_sha256 is None:
        yield "This release is unsigned."
    if any(check.waived for check in found.decision.checks):
        yield "A failed check was waived for this model."
    if found.record.code.git_dirty:
        yield "The code that made this model differs from its commit."


def _details(
    evidence: Evidence, subject: Subject, found: Judged, config: Mapping[str, Any]
) -> Section:
    record, model = found.record, config.get("model", {})
    point = found.decision.operating_points[CANDIDATE]
    target = model.get("target_sensitivity")
    return Section(
        "Model",
        facts={
            "name": config.get("serving", {}).get("model_name"),
            "version": str(subject.release.version) if subject.release else "not released",
            "destination": subject.release.destination if subject.release else "none",
            "owner": record.who.owner if record.who.owner != "unnamed" else NOT_STATED,
            "decided": found.decision.created,
            "released": subject.release.at if subject.release else "not released",
            "SHA-256 of the model": found.decision.hashes["candidate"],
            "input": f"grey image, {model.get('image_size')} x {model.get('image_size')} pixels",
            "network": f"convolutions with {model.get('filters')} channels",
            "epochs at most": model.get("epochs"),
            "seed": record.seeds.seed,
            "operating point": point,
            "how it was chosen": "on tuning cases, aiming at a sensitivity of "
            f"{target}; never on the case set",
        },
    )


def _training(
    found: Judged, trained: Counter[tuple[str, str]] | None, words: Mapping[str, str]
) -> Section:
    inputs = found.record.inputs
    facts = {
        "source": inputs.data,
        "SHA-256 of the source": inputs.data_sha256,
        "training and tuning cases": inputs.training_cases,
        "Merkle root over them": inputs.training_root,
        "licence": words.get("training_data_licence", NOT_STATED),
    }
    tables: tuple[CardTable, ...] = ()
    if trained:
        tables = (
            CardTable(
                "Composition of training and tuning cases",
                ("attribute", "value", "cases"),
                tuple((name, value, count) for (name, value), count in sorted(trained.items())),
            ),
        )
    return Section("Training data", facts=facts, tables=tables)


def _evaluation(found: Judged) -> Section:
    inputs, cases = found.record.inputs, found.cases
    rows = []
    for name in attributes_of(cases, found):
        for value in cases.values(name):
            mask = cases.mask({name: value})
            positives = int(cases.labels[mask].sum())
            rows.append((name, value, positives, int(mask.sum()) - positives))
    return Section(
        "Evaluation data",
        texts=("Fixed historical cases, locked by hash and used for no training or tuning.",),
        facts={
            "case set": inputs.case_set,
            "version": inputs.case_set_version,
            "cases": len(cases.ids),
            "positives": int(cases.labels.sum()),
            "never-miss cases": int(cases.sentinels.sum()),
            "Merkle root over them": inputs.case_set_root,
            "looks at these cases so far": found.decision.looks.used,
            "looks planned": found.decision.looks.planned,
        },
        tables=(
            CardTable("Composition", ("attribute", "value", "positives", "negatives"), tuple(rows)),
        ),
    )


def _performance(rows: list[Figure]) -> Section:
    tables = []
    for title, chosen in (
        ("Overall", [row for row in rows if row.attribute == OVERALL]),
        ("By attribute", [row for row in rows if row.attribute != OVERALL]),
    ):
        tables.append(
            CardTable(
                title,
                ("slice", "metric", "n", "estimate", "lower", "upper"),
                tuple(
                    (row.slice, row.metric, row.n, row.estimate, row.lower, row.upper)
                    for row in chosen
                    if row.estimate is not None
                ),
            )
        )
    left = sum(row.estimate is None for row in rows)
    note = f"{left} figures are undefined, for want of cases or of one class, and left out."
    return Section("Performance", texts=(note,) if left else (), tables=tuple(tables))


def _compared(found: Judged, rows: list[Figure]) -> Section:
    flips = tuple(
        (f.against, len(f.gained), len(f.lost), len(f.lost_sentinels)) for f in found.decision.flips
    )
    overall = tuple(
        (row.metric, row.estimate, row.champion, row.golden)
        for row in rows
        if row.attribute == OVERALL
    )
    tables = [CardTable("Overall figures", ("metric", "this model", "champion", "golden"), overall)]
    if flips:
        columns = ("against", "cases gained", "cases lost", "never-miss cases lost")
        tables.append(CardTable("Cases that turned", columns, flips))
    return Section("Against what went before", tables=tuple(tables))


def _checks(found: Judged) -> Section:
    rows = tuple(
        (
            check.check,
            check.verdict.value + (", waived" if check.waived else ""),
            check.estimate,
            check.lower,
            check.upper,
            check.limit,
        )
        for check in found.decision.checks
    )
    columns = ("check", "verdict", "estimate", "lower", "upper", "limit")
    return Section(
        "Acceptance criteria",
        facts={
            "policy": found.policy.name,
            "SHA-256 of the policy": found.record.inputs.policy_sha256,
            "committed": found.record.inputs.policy_committed,
            "one-sided alpha": found.policy.alpha,
            "verdict": found.decision.verdict.value,
        },
        tables=(CardTable("Checks", columns, rows),),
    )


def _limits(
    found: Judged,
    rows: list[Figure],
    trained: Counter[tuple[str, str]] | None,
    words: Mapping[str, str],
) -> Section:
    """What the figures themselves show as limits, after what people stated."""
    said = list(_texts(words, "limitations"))
    judged_values = {(r.attribute, r.value) for r in rows if r.value}
    few = [
        f"{r.slice} ({r.metric}: {r.n} cases)"
        for r in rows
        if r.metric in ("sensitivity", "specificity") and 0 < r.n < FEW
    ]
    wide = [
        f"{r.slice} ({r.metric})"
        for r in rows
        if r.lower is not None and r.upper is not None and r.upper - r.lower > WIDE
    ]
    if few:
        said.append(f"Fewer than {FEW} cases: {'; '.join(few)}.")
    if wide:
        said.append(f"Intervals wider than {WIDE}: {'; '.join(wide)}.")
    if trained is not None:
        values = {key for key in trained if key[0] in {name for name, _ in judged_values}}
        unseen = sorted(f"{a}={v}" for a, v in judged_values - values)
        unjudged = sorted(f"{a}={v}" for a, v in values - judged_values)
        if unseen:
            said.append(f"In the case set and not in the training data: {', '.join(unseen)}.")
        if unjudged:
            said.append(f"In the training data and not in the case set: {', '.join(unjudged)}.")
    else:
        said.append("Whether each group was trained on is not known: no training manifest is kept.")
    return Section("Limits", texts=tuple(said))


def _approvals(evidence: Evidence, subject: Subject, found: Judged) -> Section:
    waivers = tuple(
        (w.check, w.by, w.second, w.reason, w.expires, w.state) for w in found.decision.waivers
    )
    envelope = evidence.workspace.run_folder(subject.run_id) / DECISION_ATTESTATION
    columns = ("check", "by", "second", "reason", "expires", "state")
    return Section(
        "Approvals",
        facts={
            "golden approved by": found.record.inputs.golden_approved_by,
            "decision signed": envelope.exists(),
            "SHA-256 of the signed statement": found.record.decision.statement_sha256
            if found.record.decision
            else None,
            "attestation of the release": subject.release.attestation_sha256
            if subject.release
            else None,
            "rolled back by": subject.release.by
            if subject.release and subject.release.kind == "rollback"
            else "nobody",
        },
        tables=(CardTable("Waivers", columns, waivers),) if waivers else (),
    )


def _versions(found: Judged) -> Section:
    record = found.record
    named = ("casegate", "tensorflow", "keras", "tfx", "apache-beam", "numpy")
    return Section(
        "Versions",
        facts={
            "run": record.run_id,
            "git commit": record.code.git_commit,
            "SHA-256 of the source code": record.code.code_sha256,
            "Python": record.environment.python,
            "SHA-256 of the lock file": record.environment.lock_file_sha256,
            **{name: record.environment.packages.get(name) for name in named},
            "SHA-256 of the run record": record.record_sha256,
            "SHA-256 of the decision": found.decision.decision_sha256,
        },
    )


def _texts(words: Mapping[str, str], *keys: str) -> tuple[str, ...]:
    return tuple(f"{TEXTS[key]}: {words.get(key, NOT_STATED)}" for key in keys)


def _config(evidence: Evidence, run_id: str) -> dict[str, Any]:
    path = evidence.workspace.run_folder(run_id) / CONFIG
    try:
        return dict(orjson.loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None


def _training_rows(evidence: Evidence, found: Judged) -> Counter[tuple[str, str]] | None:
    """How many training and tuning cases have each value of each attribute."""
    root = found.record.inputs.training_root
    if root is None:
        return None
    try:
        rows = read_manifest(manifest_path(evidence.workspace.training, root), root=root)
        counts: Counter[tuple[str, str]] = Counter()
        for row in rows:
            counts.update(row.attributes.items())
    except CasegateError:
        return None
    return counts
