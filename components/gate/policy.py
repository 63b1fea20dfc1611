"""The acceptance criteria, written before the result and read once, whole."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.baselines.schema import check_document
from components.errors import PolicyError
from components.gate.yaml_lines import YamlDocument, read_yaml
from components.metrics import METRICS

DEFAULT_ALPHA = 0.025


@dataclass(frozen=True)
class Check:
    """One metric on one slice: a floor, a margin against each baseline, or both.

    Attributes:
      slice: the value that an attribute has in it, such as {"device": "Cirrus"}; empty for all
        cases.
      floor: the metric's bounds are held against it, in (0, 1).
      margin: largest acceptable loss against champion and golden each, in (0, 1).
      method: the floor's interval.
    """

    metric: str
    slice: Mapping[str, str]
    floor: float | None
    margin: float | None
    method: str
    rationale: str

    @property
    def slice_name(self) -> str:
        return slice_name(self.slice)

    @property
    def name(self) -> str:
        """Such as `sensitivity[device=Cirrus]`."""
        return f"{self.metric}[{self.slice_name}]"


@dataclass(frozen=True)
class NegativeFlips:
    """`ceiling`: largest share of all cases that may turn from right to wrong."""

    ceiling: float
    rationale: str


@dataclass(frozen=True)
class Policy:
    """Attributes:
    alpha: one-sided error rate of every interval.
    leakage: 'stop' or 'report': what a case-set case found in the training data does.
    planned_looks: how often the case set may be used to judge.
    descriptive_slices: attributes to report by, never gated.
    sha256: hex, over the file's bytes.
    """

    name: str
    alpha: float
    leakage: str
    planned_looks: int
    checks: tuple[Check, ...]
    negative_flips: NegativeFlips | None
    descriptive_slices: tuple[str, ...]
    sha256: str


def load_policy(path: Path) -> Policy:
    """The policy in a YAML file, as schemas/gate_policy.json allows.

    Raises:
      PolicyError: unreadable, against the schema, or two checks of one metric on one slice; names
        file and line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error.strerror}") from error
    document = read_yaml(path, content, error=PolicyError)
    check_document(document.data, "gate_policy", locate=document.locate, error=PolicyError)
    data: dict[str, Any] = document.data
    flips = data.get("negative_flips")
    return Policy(
        name=data["name"],
        alpha=data.get("alpha", DEFAULT_ALPHA),
        leakage=data["leakage"],
        planned_looks=data["planned_looks"],
        checks=_checks(document),
        negative_flips=NegativeFlips(**flips) if flips else None,
        descriptive_slices=tuple(data.get("descriptive_slices", ())),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _checks(document: YamlDocument) -> tuple[Check, ...]:
    checks: dict[str, Check] = {}
    for i, entry in enumerate(document.data["checks"]):
        methods = METRICS[entry["metric"]].methods
        method = entry.get("method", methods[0])
        if method not in methods:
            raise PolicyError(
                f"{document.locate(('checks', i, 'method'))}: got method '{method}' for "
                f"{entry['metric']}, wanted {' or '.join(methods)}; leave it out for {methods[0]}"
            )
        check = Check(
            metric=entry["metric"],
            slice={} if entry["slice"] == "overall" else dict(entry["slice"]),
            floor=entry.get("floor"),
            margin=entry.get("margin"),
            method=method,
            rationale=entry["rationale"],
        )
        if check.name in checks:
            raise PolicyError(
                f"{document.locate(('checks', i))}: {check.name} stands twice; "
                "put its floor and margin in one check"
            )
        checks[check.name] = check
    return tuple(checks.values())


def slice_name(piece: Mapping[str, str]) -> str:
    """Such as `device=Cirrus`; `overall` for all cases."""
    return ",".join(f"{name}={piece[name]}" for name in sorted(piece)) or "overall"
