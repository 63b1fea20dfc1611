"""What hospitals said of a candidate on cases that never left them, as checks.

A site's verdict counts with the signature of the key that the policy names for it, about these very
files, and in answer to this run's request. So neither another hospital, nor a verdict on another
model, nor one of an earlier run stands in for it. None of these checks can be waived.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from components.decision import CheckResult, Verdict
from components.gate.policy import Policy
from components.records.errors import IntegrityError
from components.statistics.random_effects import pool_effects

if TYPE_CHECKING:  # what verifies signatures takes as long to import as the rest of the gate
    from components.attestation.site import SiteAnswers

# By the site's name: what it said, why that does not count, or None where it said nothing.
Heard = Mapping[str, Mapping[str, Any] | IntegrityError | None]

RULE = "site"
_ABSENT = "no verdict in time: it was not judged there"
_UNASKED = "no verdict: nobody was asked; `casegate run` asks where site_verdicts says how"


def hear_sites(
    policy: Policy, sites: "SiteAnswers | None", *, candidate: str, run_id: str
) -> Heard:
    """What came of every site that the policy names, verified.

    Args:
      sites: what was asked and answered; None where nobody was asked.
      candidate: SHA-256 (hex) over the model's files.
    """
    heard: dict[str, Mapping[str, Any] | IntegrityError | None] = {}
    for name, rule in policy.sites.items():
        heard[name] = None
        if sites is not None and name in sites.answers:
            from components.attestation.site import read_verdict

            try:
                heard[name] = read_verdict(
                    sites, name, key=rule.key, model_sha256=candidate, run_id=run_id
                )
            except IntegrityError as error:
                heard[name] = error
    return heard


def site_checks(policy: Policy, heard: Heard, *, asked: bool) -> list[CheckResult]:
    """`site[NAME]` for each site, and its figures, which decide nothing here."""
    return [
        check
        for name, rule in policy.sites.items()
        for check in _checks_of(name, rule.role, heard[name], asked=asked)
    ]


def is_broken(policy: Policy, heard: Heard) -> bool:
    """Whether what a site that has to pass sent is not its own word on this candidate."""
    return any(
        isinstance(heard[name], IntegrityError) and rule.role == "gate"
        for name, rule in policy.sites.items()
    )


def _checks_of(
    name: str, role: str, said: Mapping[str, Any] | IntegrityError | None, *, asked: bool
) -> Iterator[CheckResult]:
    verdict, reason = Verdict.INCONCLUSIVE, _ABSENT if asked else _UNASKED
    if isinstance(said, IntegrityError):
        verdict, reason = Verdict.FAIL, f"not its word on this model: {said}"
    elif said is not None:
        verdict, looks = Verdict(said["verdict"]), said["looks"]
        reason = (
            f"{verdict.value} on its own cases, decided {said['decided_at'][:10]} at look "
            f"{looks['used']} of {looks['planned']}, by policy {said['policy_sha256'][:12]}..., as "
            f"decision {said['decision_sha256'][:12]}... that it keeps"
        )
    yield CheckResult(f"{RULE}[{name}]", RULE, verdict, reason, role=role)
    for figure in said["figures"] if isinstance(said, Mapping) else ():
        yield CheckResult(
            check=f"{RULE}[{name}].{figure['metric']}.{figure['against']}",
            rule=RULE,
            verdict=Verdict(figure["verdict"]),
            reason="as the site gave it; its own check decides",
            slice="overall",
            role="supporting",
            **{
                key: figure[key]
                for key in ("metric", "against", "n", "estimate", "lower", "upper", "limit")
            },
        )


def describe_pooled(heard: Heard, *, alpha: float) -> Iterator[str]:
    """A line on each difference that two sites or more gave figures of: over all, and how unlike.

    It supports and decides nothing: a site that is harmed is not made good by the others.

    Args:
      alpha: one-sided, of the pooled bounds.
    """
    from scipy.special import ndtri

    given: defaultdict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for said in heard.values():
        for figure in said["figures"] if isinstance(said, Mapping) else ():
            if figure["against"] != "none":
                # The standard error from the bounds: Cochrane Handbook (version 6), 6.3.
                width = figure["upper"] - figure["lower"]
                error = width / (-2 * float(ndtri(figure["alpha"])))
                given[figure["metric"], figure["against"]].append((figure["estimate"], error))
    for (metric, against), rows in sorted(given.items()):
        if len(rows) > 1 and all(error > 0 for _, error in rows):
            found = pool_effects(*zip(*rows), alpha=alpha)
            yield (
                f"{metric} over {len(rows)} sites changes by {found.estimate:+.4f} "
                f"({found.lower:+.4f} to {found.upper:+.4f}) against {against}, by random effects "
                f"with I2 {100 * found.i2:.0f} %; that decides nothing"
            )
