"""One archive that holds everything a release rests on, for somebody who has nothing else.

Every file goes in as it lies in the workspace, once it has been found to be what the record and the
ledger name; what is derived is made anew. The same release gives the same bytes.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from components.baselines.export_scores import ARTEFACT, load_export_scores
from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.bundle.archive import write_archive
from components.bundle.manifest import NAME, About, manifest_bytes
from components.lineage.graph import Graph
from components.lineage.record import RunRecord
from components.lineage.training import manifest_path, verified_lines
from components.records.errors import ConfigError, IntegrityError
from components.records.export import EXPORTS
from components.records.files import sha256_tree
from components.records.ledger.ledger import Entry, line_of
from components.records.run_files import LINEAGE, RUN_RECORD
from pipeline.evidence.bundle.derived import derived_files, graph_from, made_with, origins_json
from pipeline.evidence.bundle.names import (
    ATTESTATIONS,
    CACHE,
    EXPORTED,
    KEYS,
    LEDGER,
    MODEL,
    OF_RUN,
    READ_ME,
    TRAINING,
    training_name,
)
from pipeline.evidence.signatures import trusted_folder
from pipeline.evidence.subject import Evidence, Subject, as_recorded, judging_files
from pipeline.evidence.trace.trace import trace_sources


@dataclass(frozen=True)
class Exported:
    """Attributes:
    sizes: bytes by file name, unpacked.
    absent: what a bundle should hold and this one cannot, and why.
    """

    path: Path
    about: About
    sizes: Mapping[str, int]
    absent: tuple[str, ...]


def export(
    evidence: Evidence,
    subject: Subject,
    path: Path,
    *,
    cards: Mapping[str, bytes],
    training_manifest: bool = True,
    model: bool = False,
) -> Exported:
    """Writes the bundle of a release or a run.

    Args:
      cards: the model card's files.
      training_manifest, model: whether they go in.

    Raises:
      IntegrityError: something is not what the record or the ledger names.
      ConfigError: the model is wanted and not there, or the file cannot be written.
    """
    record = evidence.record(subject.run_id)
    files, absent = _evidence_files(evidence, record)
    if root := record.inputs.training_root:
        manifest, name = manifest_path(evidence.workspace.training, root), training_name(root)
        if not training_manifest:
            absent.append(f"{name}: left out as asked; its root stands in the run record")
        elif not manifest.exists():
            absent.append(f"{name}: is not in the workspace")
        else:
            files[name] = _lines(verified_lines(manifest, root=root))
    files |= _derived(evidence, subject, files.get(LINEAGE))
    files |= dict(_model(evidence, subject)) if model else {}
    files |= dict(_exports(evidence, subject.run_id, models=model))
    entries = entries_up_to(evidence.entries, record, subject)
    if not entries:
        raise ConfigError(
            f"{evidence.workspace.ledger}: says nothing of {subject.name}; it has not ended yet"
        )
    files |= {LEDGER: _lines(map(line_of, entries)), **cards}
    about = _about(evidence, subject, record, entries, files)
    files[READ_ME] = read_me(about, sorted(files), absent)
    files[NAME] = manifest_bytes(about, files)
    write_archive(path, files)
    sizes = {name: len(content) for name, content in files.items()}
    return Exported(path, about, sizes, tuple(absent))


def _lines(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _derived(evidence: Evidence, subject: Subject, lineage: bytes | None) -> dict[str, bytes]:
    """As a reader of the bundle will know it: from the run's own copy of its part of the store."""
    found = trace_sources(evidence, subject, splits=False)
    graph = graph_from(lineage, where=LINEAGE) if lineage is not None else Graph((), (), ())
    ids = {artifact.id for artifact in graph.artifacts}
    origins = {key: origin for key, origin in found.origins.items() if key in ids}
    known = replace(found, graph=graph, origins=origins)
    return {CACHE: origins_json(origins), **derived_files(known)}


def entries_up_to(
    entries: tuple[Entry, ...], record: RunRecord, subject: Subject
) -> tuple[Entry, ...]:
    """The ledger from its first entry to the last one that speaks of this run or its model."""
    decided, release = record.decision, subject.release
    wanted = {record.run_id}
    wanted |= {decided.decision_sha256, str(decided.candidate_sha256)} if decided else set()
    wanted |= {release.model_sha256} if release else set()
    keys = ("run_id", "decision_sha256", "model_sha256", "from_model_sha256", "to_model_sha256")
    last = max((e.seq for e in entries if any(e.body.get(k) in wanted for k in keys)), default=0)
    return entries[:last]


def _evidence_files(evidence: Evidence, record: RunRecord) -> tuple[dict[str, bytes], list[str]]:
    folder, absent = evidence.workspace.run_folder(record.run_id), list[str]()
    files = {RUN_RECORD: (folder / RUN_RECORD).read_bytes()}
    files |= {
        name: as_recorded(folder / name, record.files[name])
        for name in OF_RUN
        if name in record.files
    }
    files |= {
        name: (folder / name).read_bytes() for name in ATTESTATIONS if (folder / name).is_file()
    }
    for name, sha256 in judging_files(record.inputs).items():
        if sha256 is not None and (copy := evidence.kept(name, sha256)):
            files[name] = copy.read_bytes()
        elif sha256 is not None:
            absent.append(f"{name}: no copy of {sha256[:12]}... was kept by that run")
    return files | dict(_keys(folder)), absent


def _keys(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The public keys that were trusted where the run was judged.

    They vouch for nothing, so where they were is taken from files that no key covers.
    """
    try:
        keys = trusted_folder(folder)
    except ConfigError:
        return
    for path in sorted(keys.glob("*.pub.pem")) if keys.is_dir() else ():
        yield KEYS + re.sub(r"[^A-Za-z0-9_.+-]", "_", path.name), path.read_bytes()


def _model(evidence: Evidence, subject: Subject) -> Iterator[tuple[str, bytes]]:
    release = subject.release
    if release is None:
        raise ConfigError(f"--with-model: {subject.name} released nothing, so there is no model")
    folder = evidence.folder(release)
    if folder is None:
        gone = evidence.workspace.root / release.destination / str(release.version)
        raise ConfigError(f"--with-model: {gone} is not there")
    if sha256_tree(folder) != release.model_sha256:
        raise IntegrityError(
            f"{folder}: is not the model {release.model_sha256[:12]}... of ledger entry "
            f"{release.seq}; restore it"
        )
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        yield MODEL + path.relative_to(folder).as_posix(), path.read_bytes()


def _exports(evidence: Evidence, run_id: str, *, models: bool) -> Iterator[tuple[str, bytes]]:
    """What was judged of each artefact: its record and scores, and its model's files if wanted."""
    decision, folder = evidence.decision(run_id), evidence.workspace.run_folder(run_id)
    for export in decision.exports if decision else ():
        mine = folder / EXPORTS / export.kind
        found = load_export_scores(mine, export.kind) if export.sha256 is not None else None
        if found is None or found.record is None:
            continue
        if found.sha256 != export.sha256:
            raise IntegrityError(
                f"{mine}: is artefact {str(found.sha256)[:12]}..., the decision names "
                f"{str(export.sha256)[:12]}...; restore it"
            )
        scores = [f"scores.{name}.json" for name, it in export.runtimes.items() if it.scores_sha256]
        artefact = sorted(p for p in (mine / ARTEFACT).rglob("*") if p.is_file())
        inside = [p for p in artefact if models or p.name not in found.record.files]
        for path in [*inside, *(mine / name for name in scores)]:
            yield EXPORTED + path.relative_to(folder / EXPORTS).as_posix(), path.read_bytes()


def _about(
    evidence: Evidence,
    subject: Subject,
    record: RunRecord,
    entries: tuple[Entry, ...],
    files: Mapping[str, bytes],
) -> About:
    release, root = subject.release, record.inputs.training_root
    manifest = files.get(training_name(root)) if root else None
    return About(
        subject=subject.name,
        workspace_id=evidence.workspace_id,
        run_id=record.run_id,
        destination=release.destination if release else None,
        version=release.version if release else None,
        at=record.finished,
        ledger_entries=len(entries),
        ledger_head=entries[-1].entry_sha256,
        training_root=root,
        training_bytes=None if manifest is None else len(manifest),
        made_with=made_with(),
    )


_WHAT = {
    "run.json": "the run record: who, where, why, code, environment, inputs, result",
    "decision.json": "the gate's verdict with every check and figure",
    POLICY: "the acceptance criteria as they were used",
    CASE_SET: "the historical cases that judged: ids, labels, attributes, hashes",
    GOLDEN: "the approved scores that the candidate was held against",
    "scores.json": "the candidate's score for every case",
    "champion_scores.json": "the scores of the model that was released before",
    "report.html": "the report for people",
    "report.md": "the same in Markdown",
    "request.json": "what the gate was asked, with the hashes of its inputs",
    "config.json": "the configuration of the run",
    "uncommitted.diff": "what the code had that its commit had not",
    "lineage.json": "the run's part of ML Metadata when it ended",
    "lineage_cache.json": "which executions made what the run took from the cache",
    "ledger.jsonl": "the hash-chained ledger up to the last entry on this release",
    "decision.dsse.json": "the signed in-toto statement of the decision",
    "release.dsse.json": "the signed in-toto statement of the release",
    "trace.json": "what led to the release, as a graph",
    "trace.svg": "the same as a picture",
    "trace.txt": "the same as a tree",
    "prov.json": "the same as W3C PROV-JSON",
    "openlineage.jsonl": "the same as OpenLineage events",
    "bom.cdx.json": "model, data and packages as a CycloneDX 1.6 bill of materials",
    "model_card.md": "the model card",
    "model_card.html": "the same for a browser",
    TRAINING.rstrip("/"): "every training and tuning case: ids, labels, hashes",
    KEYS.rstrip("/"): "public keys that were trusted where the run was judged",
    MODEL.rstrip("/"): "the model's files",
    EXPORTED.rstrip("/"): "an exported artefact: its record, labels and scores",
}


def read_me(about: About, names: Sequence[str], absent: Sequence[str]) -> bytes:
    """The text, which names no time but the run's."""
    place = f" in {about.destination}" if about.destination else ""
    kinds = ((name, _WHAT.get(name.partition("/")[0], "as its name says")) for name in names)
    lines = [
        f"# {about.subject}{place}",
        "",
        f"Run {about.run_id}, ended {about.at or 'at a time that is not known'}.",
        "",
        "`casegate lineage check` on this archive recomputes every hash in it and takes the",
        "decision again from the scores and the policy. It needs neither the store nor the data.",
        "Give it the signers' public keys with `--key`, from a source other than this archive:",
        "keys inside an archive vouch for nothing.",
        "",
        "| file | what it is |",
        "|---|---|",
        *(f"| {name} | {what} |" for name, what in kinds),
    ]
    if absent:
        lines += ["", "Not in it:", "", *(f"- {line}" for line in absent)]
    return ("\n".join(lines) + "\n").encode()
