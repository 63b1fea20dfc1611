"""`README.md` of a bundle: what each file is, for somebody who has only the archive."""

from collections.abc import Sequence

from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.bundle.manifest import About
from pipeline.evidence.bundle.names import KEYS, MODEL, TRAINING

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
}
_FOLDERS = {
    TRAINING: "every training and tuning case: ids, labels, hashes",
    KEYS: "public keys that were trusted where the run was judged",
    MODEL: "the model's files",
}


def read_me(about: About, names: Sequence[str], absent: Sequence[str]) -> bytes:
    """The text, which names no time but the run's."""
    place = f" in {about.destination}" if about.destination else ""
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
        *(f"| {name} | {_what(name)} |" for name in names),
    ]
    if absent:
        lines += ["", "Not in it:", "", *(f"- {line}" for line in absent)]
    return ("\n".join(lines) + "\n").encode()


def _what(name: str) -> str:
    folder = name.partition("/")[0] + "/"
    return _FOLDERS.get(folder, _WHAT.get(name, "as its name says"))
