"""What two runs were given, key by key: code, packages, configuration, criteria, machine."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from components.baselines.names import POLICY
from components.gate.policy import load_policy
from components.lineage.record import RunRecord
from pipeline.evidence.answer import Table, Value
from pipeline.evidence.judged import kept_still
from pipeline.evidence.run_config import config_of
from pipeline.evidence.subject import Evidence

COLUMNS = ("what", "first", "second")
_OF_A_CHECK = ("limit", "margins", "method", "paired_method", "alpha", "role", "rationale")

Side = Mapping[str, Any]


def settings(
    evidence: Evidence, old: RunRecord, new: RunRecord
) -> tuple[list[Table], Mapping[str, str]]:
    """A table of each kind, without what is equal in both; and by name, which could not be made.

    Raises:
      IntegrityError: a configuration or a policy was altered.
    """
    missing: dict[str, str] = {}
    configuration = _both(_configuration, "configuration", evidence, (old, new), missing)
    criteria: tuple[Side, Side] = ({}, {})
    if old.inputs.policy_sha256 != new.inputs.policy_sha256:
        criteria = _both(_criteria, "policy", evidence, (old, new), missing)
    return [
        _table("code", "Code, policy and data", _of_record(old), _of_record(new)),
        _table("packages", "Packages", old.environment.packages, new.environment.packages),
        _table("configuration", "Configuration", *configuration),
        _table("policy", "Acceptance criteria", *criteria),
        _table("environment", "Machine", _machine(old), _machine(new)),
    ], missing


def _table(name: str, title: str, old: Side, new: Side) -> Table:
    """Keys whose values differ; what one side has not is None there."""
    rows = tuple(
        (key, _plain(old.get(key)), _plain(new.get(key)))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    )
    return Table(name, title, COLUMNS, rows)


def _both(
    read: Callable[[Evidence, RunRecord], Side | str],
    what: str,
    evidence: Evidence,
    records: tuple[RunRecord, RunRecord],
    missing: dict[str, str],
) -> tuple[Side, Side]:
    """Both sides, or neither: half a comparison would call everything changed."""
    sides: list[Side] = []
    for record in records:
        side = read(evidence, record)
        if isinstance(side, str):
            missing[what] = f"The {what} is not compared: run {record.run_id} {side}."
            return {}, {}
        sides.append(side)
    return sides[0], sides[1]


def _plain(value: Any) -> Value:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _of_record(record: RunRecord) -> Side:
    """Code, inputs, people and the reason, as the record has them."""
    found = {
        **vars(record.code),
        **vars(record.inputs),
        **{f"seed: {key}": value for key, value in vars(record.seeds).items()},
        "owner": record.who.owner,
        "started by": record.who.user,
        "trigger": record.why.trigger,
        "why": record.why.detail,
        "commit author": record.where.commit_author,
        "state": record.state,
        "candidate": record.decision.candidate_sha256 if record.decision else None,
        "verdict": record.decision.verdict if record.decision else None,
    }
    return {key.replace("_", " "): value for key, value in found.items()}


def _machine(record: RunRecord) -> Side:
    known = vars(record.environment).items()
    return {key.replace("_", " "): value for key, value in known if key != "packages"}


def _configuration(evidence: Evidence, record: RunRecord) -> Side | str:
    config = config_of(evidence, record)
    return "recorded none" if config is None else dict(_flat(config))


def _criteria(evidence: Evidence, record: RunRecord) -> Side | str:
    """Each criterion by name, or in words why there are none."""
    sha256 = record.inputs.policy_sha256
    if sha256 is None:
        return "stopped before it had read one"
    path = kept_still(evidence.workspace, record, POLICY)
    if path is None:
        return f"was judged by {sha256[:12]}..., whose text is kept no more"
    policy = load_policy(path)
    whole = {k: v for k, v in asdict(policy).items() if k not in ("checks", "sha256")}
    found = dict(_flat(whole))
    for check in policy.checks:
        found |= dict(_flat({key: getattr(check, key) for key in _OF_A_CHECK}, f"{check.name} "))
    return found


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", list(value) if isinstance(value, tuple) else value
