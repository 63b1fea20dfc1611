"""The acceptance criteria, written before the result and read once, whole."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.metrics import METRICS
from components.records.errors import PolicyError
from components.records.export import RUNTIMES, TFJS, WEBGL
from components.records.schema import JsonPath, check_document
from components.records.yaml_lines import YamlDocument, read_yaml

DEFAULT_ALPHA = 0.025
DEFAULT_DISCORDANCE = 0.04
DEFAULT_AGREEMENT = 0.01
BASELINES = ("champion", "golden")


@dataclass(frozen=True)
class Check:
    """One metric on one slice: a limit, a margin against the baselines, or both.

    Attributes:
      slice: the value that an attribute has in it, such as {"device": "Cirrus"}; empty for all
        cases.
      limit: a floor where the metric is better when higher, else a ceiling, in (0, 1).
      margins: largest acceptable loss against each baseline, in (0, 1); a baseline that is left
        out is not compared with.
      method, paired_method: the intervals behind the limit and behind the margins.
      alpha: one-sided error rate of its bounds.
      role: gate, or supporting where it is reported and decides nothing.
    """

    metric: str
    slice: Mapping[str, str]
    limit: float | None
    margins: Mapping[str, float]
    method: str
    paired_method: str
    alpha: float
    role: str
    rationale: str

    @property
    def slice_name(self) -> str:
        return slice_name(self.slice)

    @property
    def name(self) -> str:
        """Such as `sensitivity[device=Cirrus]`."""
        return f"{self.metric}[{self.slice_name}]"

    @property
    def limit_rule(self) -> str:
        """What its limit is: floor or ceiling."""
        return "floor" if METRICS[self.metric].higher_is_better else "ceiling"


@dataclass(frozen=True)
class NegativeFlips:
    """`ceiling`: largest share of all cases that may turn from right to wrong."""

    ceiling: float
    rationale: str


@dataclass(frozen=True)
class Sentinels:
    """`at_least`: how many never-miss cases the case set must hold."""

    at_least: int
    rationale: str


@dataclass(frozen=True)
class Latency:
    """`p95_ms`: largest acceptable 95th percentile of a call with one image, milliseconds."""

    p95_ms: float
    rationale: str
    role: str = "gate"


@dataclass(frozen=True)
class StepTime:
    """`p95_ms`: largest acceptable 95th percentile of a step of the training, milliseconds."""

    p95_ms: float
    rationale: str
    role: str = "supporting"


@dataclass(frozen=True)
class PrivacyLimit:
    """What the training has to have promised about each of its patients.

    Attributes:
      epsilon_ceiling: the largest acceptable epsilon.
      delta_ceiling: the largest acceptable delta.
      unit: whom the promise has to be about at least: patient, or image.
    """

    epsilon_ceiling: float
    rationale: str
    delta_ceiling: float = 1e-5
    unit: str = "patient"
    role: str = "gate"


@dataclass(frozen=True)
class AgreementLimit:
    """`tolerance`: how far the scores of a case's picture and of its own bytes may lie apart."""

    tolerance: float
    rationale: str


@dataclass(frozen=True)
class AttentionMargin:
    """How far the heat of a candidate's maps may move out of the lesions.

    Attributes:
      role: gate, supporting, or off where nobody is to ask for maps.
      margin: largest acceptable loss of the share of heat inside them against the champion.
    """

    role: str = "supporting"
    margin: float = 0.1
    rationale: str = "the default: honest retrainings are seen to differ by .07"


@dataclass(frozen=True)
class Coverage:
    """What the training data must hold of what the candidate is judged on.

    Attributes:
      attributes: every value that they have in the case set must occur in the training data.
      at_least: how many training cases there must be of each value.
    """

    attributes: tuple[str, ...]
    at_least: int
    rationale: str


@dataclass(frozen=True)
class Shortcuts:
    """From when on a feature of the pictures that goes with the label or the split is named.

    Attributes:
      action: 'stop' or 'report'.
      effect: of the rank-biserial correlation, without its sign, or of Cramér's V, in (0, 1).
      alpha: of the p value after Holm's adjustment over all features.
      ignore: features and attributes that say the label in other words.
    """

    action: str = "report"
    effect: float = 0.5
    alpha: float = 0.01
    ignore: tuple[str, ...] = ("aetiology",)
    rationale: str = "the default: disease alone is seen to reach less"


@dataclass(frozen=True)
class ExportRule:
    """What a form of the model for another runtime has to be.

    Attributes:
      runtimes: where it is judged, each on its own.
      required: whether the model is not released without it.
      agreement: smallest share of the cases that it calls as the model does, in (0, 1).
      difference: largest mean difference between its score of a case and the model's, in (0, 1).
      checks: None where the policy's own apply.
    """

    runtimes: tuple[str, ...]
    required: bool = False
    agreement: float = 0.97
    difference: float = 0.05
    checks: tuple[Check, ...] | None = None
    rationale: str = "the default: honest conversions are seen to agree on more than .99"


@dataclass(frozen=True)
class Disclosure:
    """`minimum_cell`: fewest patients of any cell of the figures that leave a site."""

    minimum_cell: int
    rationale: str


@dataclass(frozen=True)
class SiteRule:
    """A hospital that judges the candidate on its own cases, which never leave it.

    Attributes:
      key: its public key, the line between the two of its NAME.pub.pem.
    """

    key: str
    rationale: str
    role: str = "gate"


@dataclass(frozen=True)
class Policy:
    """Attributes:
    alpha: one-sided error rate of every interval that names none of its own.
    leakage: 'stop' or 'report': what a case-set case found in the training data does.
    near_duplicates: 'stop' or 'report': what two nearly equal pictures do, in two splits or under
      both labels.
    planned_looks: how often the case set may be used to judge.
    patients: 'independent', 'clustered' or 'aggregated': what several images of a patient are.
    expected_discordance: share of cases that two equally good models call differently.
    descriptive_slices: attributes to report by, never gated.
    sha256: hex, over the file's bytes.
    agreement: None where `DEFAULT_AGREEMENT` is the limit.
    exports: by kind, where the policy names it.
    disclosure: which figures leave this site with a verdict; None where no figure does.
    sites: by name, which is that of the site's key.
    """

    name: str
    alpha: float
    leakage: str
    planned_looks: int
    patients: str
    expected_discordance: float
    checks: tuple[Check, ...]
    negative_flips: NegativeFlips | None
    sentinels: Sentinels | None
    latency: Latency | None
    coverage: Coverage | None
    descriptive_slices: tuple[str, ...]
    sha256: str
    agreement: AgreementLimit | None = None
    near_duplicates: str = "report"
    shortcuts: Shortcuts = Shortcuts()
    attention: AttentionMargin = AttentionMargin()
    step_time: StepTime | None = None
    privacy: PrivacyLimit | None = None
    exports: Mapping[str, ExportRule] = field(default_factory=dict)
    disclosure: Disclosure | None = None
    sites: Mapping[str, SiteRule] = field(default_factory=dict)

    def export_rule(self, kind: str) -> ExportRule:
        """What an artefact of this kind has to be, by the defaults where the policy is silent."""
        return self.exports.get(kind) or ExportRule(RUNTIMES[kind])


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
    flips, sentinels, latency, agreement, step_time, privacy, disclosure = (
        data.get(key)
        for key in (
            *("negative_flips", "sentinels", "latency", "agreement", "step_time", "privacy"),
            "disclosure",
        )
    )
    return Policy(
        name=data["name"],
        alpha=data.get("alpha", DEFAULT_ALPHA),
        leakage=data["leakage"],
        planned_looks=data["planned_looks"],
        patients=data.get("patients", "clustered"),
        expected_discordance=data.get("expected_discordance", DEFAULT_DISCORDANCE),
        checks=_checks(document, data["checks"], ("checks",)),
        negative_flips=NegativeFlips(**flips) if flips else None,
        sentinels=Sentinels(**sentinels) if sentinels else None,
        latency=Latency(**latency) if latency else None,
        coverage=_coverage(data.get("coverage")),
        descriptive_slices=tuple(data.get("descriptive_slices", ())),
        sha256=hashlib.sha256(content).hexdigest(),
        agreement=AgreementLimit(**agreement) if agreement else None,
        near_duplicates=data.get("near_duplicates", "report"),
        shortcuts=_shortcuts(data.get("shortcuts", {})),
        attention=AttentionMargin(**data.get("attention", {})),
        step_time=StepTime(**step_time) if step_time else None,
        privacy=PrivacyLimit(**privacy) if privacy else None,
        exports={kind: _export_rule(document, kind) for kind in data.get("exports", {})},
        disclosure=Disclosure(**disclosure) if disclosure else None,
        sites=_sites(document),
    )


def _sites(document: YamlDocument) -> dict[str, SiteRule]:
    found: dict[str, SiteRule] = {}
    for name, given in document.data.get("sites", {}).items():
        rule = SiteRule(**given)
        if twin := next((other for other, its in found.items() if its.key == rule.key), None):
            raise PolicyError(
                f"{document.locate(('sites', name, 'key'))}: sites.{name} has the key of "
                f"sites.{twin}; wanted one of its own, as no hospital speaks for another"
            )
        found[name] = rule
    return found


def _export_rule(document: YamlDocument, kind: str) -> ExportRule:
    given, place = dict(document.data["exports"][kind]), ("exports", kind)
    known = (*RUNTIMES[kind], *([WEBGL] if kind == TFJS else []))
    for i, runtime in enumerate(given.get("runtimes", ())):
        if runtime not in known:
            raise PolicyError(
                f"{document.locate((*place, 'runtimes', i))}: got runtime '{runtime}' for {kind}, "
                f"wanted {' or '.join(known)}"
            )
    checks = given.get("checks") and _checks(document, given["checks"], (*place, "checks"))
    runtimes = tuple(given.get("runtimes", RUNTIMES[kind]))
    return ExportRule(**{**given, "runtimes": runtimes, "checks": checks})


def _coverage(given: Mapping[str, Any] | None) -> Coverage | None:
    return Coverage(**{**given, "attributes": tuple(given["attributes"])}) if given else None


def _shortcuts(given: Mapping[str, Any]) -> Shortcuts:
    lists = {"ignore": tuple(given["ignore"])} if "ignore" in given else {}
    return Shortcuts(**{**given, **lists})


def _checks(
    document: YamlDocument, entries: Sequence[Mapping[str, Any]], at: JsonPath
) -> tuple[Check, ...]:
    """`at`: where the entries stand in the policy."""
    checks: dict[str, Check] = {}
    alpha = document.data.get("alpha", DEFAULT_ALPHA)
    for i, entry in enumerate(entries):
        _refuse_unfit(document, (*at, i), entry)
        metric = METRICS[entry["metric"]]
        margin = entry.get("margin", {})
        check = Check(
            metric=entry["metric"],
            slice={} if entry["slice"] == "overall" else dict(entry["slice"]),
            limit=entry.get("floor" if metric.higher_is_better else "ceiling"),
            margins=margin if isinstance(margin, dict) else dict.fromkeys(BASELINES, margin),
            method=entry.get("method", metric.methods[0]),
            paired_method=entry.get("paired_method", metric.paired_methods[0]),
            alpha=entry.get("alpha", alpha),
            role=entry.get("role", "gate"),
            rationale=entry["rationale"],
        )
        if check.name in checks:
            raise PolicyError(
                f"{document.locate((*at, i))}: {check.name} stands twice; "
                "put its limit and margin in one check"
            )
        checks[check.name] = check
    return tuple(checks.values())


def _refuse_unfit(document: YamlDocument, at: JsonPath, entry: Mapping[str, Any]) -> None:
    """Raises PolicyError for a limit or a method that the check's metric does not have."""
    metric = METRICS[entry["metric"]]
    wrong, right = "ceiling", "floor"
    if not metric.higher_is_better:
        wrong, right = right, wrong
    if wrong in entry:
        raise PolicyError(
            f"{document.locate((*at, wrong))}: got a {wrong} for {entry['metric']}, which "
            f"is better when {'higher' if metric.higher_is_better else 'lower'}; wanted a {right}"
        )
    for key, methods in (("method", metric.methods), ("paired_method", metric.paired_methods)):
        if entry.get(key, methods[0]) not in methods:
            raise PolicyError(
                f"{document.locate((*at, key))}: got {key} '{entry[key]}' for "
                f"{entry['metric']}, wanted {' or '.join(methods)}; leave it out for {methods[0]}"
            )


def slice_name(piece: Mapping[str, str]) -> str:
    """Such as `device=Cirrus`; `overall` for all cases."""
    return ",".join(f"{name}={piece[name]}" for name in sorted(piece)) or "overall"
