"""A ledger's entries as a person reads them: one sentence each."""

from collections.abc import Callable, Mapping
from typing import Any

from components.records.ledger.ledger import Entry
from components.records.text import one_line

Body = Mapping[str, Any]


def sentence(entry: Entry) -> str:
    """What happened, in one line without any character that does not print."""
    return one_line(_SENTENCES[entry.kind](entry.body))


def _decision(body: Body) -> str:
    waived = f", waived: {', '.join(body['waived'])}" if body["waived"] else ""
    released = ", released already" if body["already_released"] else ""
    exports = "".join(f", {kind} {verdict}" for kind, verdict in body.get("exports", {}).items())
    return (
        f"{body['verdict']} (exit {body['exit_code']}) in run {body['run_id']}, candidate "
        f"{body['candidate_sha256'][:12]} on {_version(body)}{released}{waived}{exports}"
    )


def _approval(body: Body) -> str:
    before = body["from_golden_sha256"]
    moved = f"golden {before[:12]} -> " if before else "first golden "
    candidate = f"{body['to_golden_sha256'][:12]}, the candidate of run {body['run_id']}"
    return f"{moved}{candidate}: {body['reason']}"


def _amendment(body: Body) -> str:
    words = {
        "added": "added",
        "retired": "retired",
        "relabelled": "relabelled",
        "sentinels": "marked as sentinel",
        "sentinels_removed": "no sentinel any more",
    }
    changed = [f"{len(body[key])} {word}" for key, word in words.items() if body.get(key)]
    what = f" ({', '.join(changed)})" if changed else ""
    versions = f"version {body['from_version']} -> {body['to_version']}"
    return f"{body['case_set']} {versions}{what}: {body['reason']}"


def _run(body: Body) -> str:
    code = "" if body["exit_code"] is None else f" (exit {body['exit_code']})"
    return f"run {body['run_id']} ended: {body['state'].replace('_', ' ')}{code}"


def _version(body: Body) -> str:
    return f"{body['case_set']} version {body['case_set_version']}"


_SENTENCES: dict[str, Callable[[Body], str]] = {
    "decision": _decision,
    "look": lambda body: f"run {body['run_id']} judged a candidate on {_version(body)}",
    "approval": _approval,
    "waiver": lambda body: (
        f"{body['check']} of run {body['run_id']} until {body['expires']}, second: "
        f"{body['second']}: {body['reason']}"
    ),
    "amendment": _amendment,
    "release": lambda body: (
        f"{body['destination']} version {body['version']}, model {body['model_sha256'][:12]} of "
        f"run {body['run_id']}{'' if body.get('attestation_sha256') else ', unsigned'}"
    ),
    "rollback": lambda body: (
        f"{body['destination']} version {body['from_version']} -> {body['to_version']}, served as "
        f"version {body['new_version']}: {body['reason']}"
    ),
    "run": _run,
    "drift": lambda body: (
        f"{', '.join(body['moved'])} moved over {body['cases']} served cases, "
        f"{body['first'][:10]} to {body['last'][:10]}: {body['report']}"
        f"{'; a retraining may follow' if body['retraining'] else ''}"
    ),
    "promotion": lambda body: (
        f"{len(body['cases'])} cases{' into ' + body['span'] if body['span'] else ''}, "
        f"{len(body['proposed_sentinels'])} proposed as sentinels: {body['reason']}"
    ),
    "retention": lambda body: (
        f"{body['files']} files of {len(body['runs'])} runs removed, {body['bytes']} bytes: "
        f"{body['list']}"
    ),
}
