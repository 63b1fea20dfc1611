"""Every limit that a policy moves, and which way."""

from dataclasses import fields, replace

import pytest

from components.gate.policy import (
    AgreementLimit,
    AttentionMargin,
    Coverage,
    Disclosure,
    ExportRule,
    Latency,
    NegativeFlips,
    Policy,
    PrivacyLimit,
    Sentinels,
    Shortcuts,
    SiteRule,
    StepTime,
)
from pipeline.ci import limits
from pipeline.ci.limits import limit_changes
from tests.components.planting import check, policy

BASE = policy(check("sensitivity", floor=0.9, margin=0.05), check("brier", ceiling=0.1))


def rows(before: Policy, after: Policy) -> list[tuple[str, str, str, str]]:
    return [(c.what, c.before, c.after, c.effect) for c in limit_changes(before, after)]


@pytest.mark.parametrize(
    ("after", "wanted"),
    [
        (BASE, []),
        (
            policy(check("sensitivity", floor=0.8, margin=0.05), check("brier", ceiling=0.1)),
            [("sensitivity[overall].floor", "0.9", "0.8", "loosened")],
        ),
        (
            policy(check("sensitivity", floor=0.9, margin=0.05), check("brier", ceiling=0.2)),
            [("brier[overall].ceiling", "0.1", "0.2", "loosened")],
        ),
        (
            policy(check("sensitivity", floor=0.9), check("brier", ceiling=0.1)),
            [
                ("sensitivity[overall].margin.champion", "0.05", "none", "loosened"),
                ("sensitivity[overall].margin.golden", "0.05", "none", "loosened"),
            ],
        ),
        (
            policy(check("sensitivity", floor=0.9, margin=0.05)),
            [("brier[overall]", "asked for", "none", "loosened")],
        ),
        (
            policy(
                check("sensitivity", floor=0.9, margin=0.05, role="supporting"),
                check("brier", ceiling=0.05),
            ),
            [
                ("sensitivity[overall].role", "gate", "supporting", "loosened"),
                ("brier[overall].ceiling", "0.1", "0.05", "tightened"),
            ],
        ),
        (replace(BASE, alpha=0.05), [("alpha", "0.025", "0.05", "loosened")]),
        (replace(BASE, planned_looks=20), [("planned_looks", "10", "20", "loosened")]),
        (
            replace(BASE, attention=AttentionMargin("off", 0.2)),
            [
                ("attention.role", "supporting", "off", "loosened"),
                ("attention.margin", "0.1", "0.2", "loosened"),
            ],
        ),
        (
            replace(BASE, agreement=AgreementLimit(0.05, "")),
            [("agreement.tolerance", "0.01", "0.05", "loosened")],
        ),
        (
            replace(BASE, near_duplicates="stop"),
            [("near_duplicates", "report", "stop", "tightened")],
        ),
        (
            replace(BASE, shortcuts=Shortcuts("stop", 0.6, 0.001, ("site",))),
            [
                ("shortcuts.site", "asked for", "none", "loosened"),
                ("shortcuts.effect", "0.5", "0.6", "loosened"),
                ("shortcuts.alpha", "0.01", "0.001", "loosened"),
                ("shortcuts.aetiology", "none", "asked for", "tightened"),
                ("shortcuts.action", "report", "stop", "tightened"),
            ],
        ),
        (replace(BASE, leakage="report"), [("leakage", "stop", "report", "loosened")]),
        (
            replace(BASE, patients="clustered"),
            [("patients", "independent", "clustered", "changed")],
        ),
        (
            replace(BASE, negative_flips=NegativeFlips(0.1, "")),
            [("negative_flips.ceiling", "none", "0.1", "tightened")],
        ),
        (
            replace(BASE, sentinels=Sentinels(3, ""), latency=Latency(5, "")),
            [
                ("sentinels.at_least", "none", "3", "tightened"),
                ("latency.p95_ms", "none", "5", "tightened"),
                ("latency.role", "none", "gate", "tightened"),
            ],
        ),
    ],
)  # fmt: skip
def test_a_limit_that_moves_is_named_with_its_way(
    after: Policy, wanted: list[tuple[str, str, str, str]]
) -> None:
    assert rows(BASE, after) == wanted


def test_what_is_taken_back_goes_the_other_way() -> None:
    more = replace(
        BASE,
        negative_flips=NegativeFlips(0.1, ""),
        coverage=Coverage(("device",), 50, ""),
    )
    assert {row[-1] for row in rows(more, BASE)} == {"loosened"}
    assert {row[-1] for row in rows(BASE, more)} == {"tightened"}


def test_another_interval_is_neither_looser_nor_tighter() -> None:
    wilson = replace(BASE.checks[0], method="wilson")
    found = rows(BASE, replace(BASE, checks=(wilson, BASE.checks[1])))
    assert [(row[0], row[2], row[3]) for row in found] == [
        ("sensitivity[overall].method", "wilson", "changed")
    ]


def test_a_check_that_was_off_and_supports_now_asks_for_more() -> None:
    off = replace(BASE, attention=AttentionMargin("off"))
    for role in ("supporting", "gate"):
        after = replace(BASE, attention=AttentionMargin(role))
        assert rows(off, after) == [("attention.role", "off", role, "tightened")]


def test_no_part_of_a_policy_goes_unwatched() -> None:
    """Whoever adds one has to say which way is looser, or that it judges nothing."""
    judges_nothing = {"name", "sha256", "expected_discordance", "descriptive_slices"}
    full = replace(
        BASE,
        negative_flips=NegativeFlips(0.1, ""),
        sentinels=Sentinels(3, ""),
        latency=Latency(5, ""),
        coverage=Coverage(("device",), 50, ""),
        agreement=AgreementLimit(0.05, ""),
        step_time=StepTime(900, ""),
        privacy=PrivacyLimit(3, ""),
        disclosure=Disclosure(10, ""),
        sites={"north": SiteRule("a key", "")},
    )
    watched = {what.partition(".")[0] for what in limits._limits(full, {"sites.north"})}
    assert watched | {"checks"} == {field.name for field in fields(Policy)} - judges_nothing


def test_a_weaker_promise_and_smaller_cells_are_loosened() -> None:
    before = replace(BASE, privacy=PrivacyLimit(3, ""), disclosure=Disclosure(10, ""))
    after = replace(BASE, privacy=PrivacyLimit(8, "", unit="image"), disclosure=Disclosure(5, ""))
    assert rows(before, after) == [
        ("privacy.epsilon_ceiling", "3", "8", "loosened"),
        ("privacy.unit", "patient", "image", "loosened"),
        ("disclosure.minimum_cell", "10", "5", "loosened"),
    ]


def test_a_site_that_no_longer_judges_is_loosened_and_another_key_is_seen() -> None:
    before = replace(BASE, sites={"north": SiteRule("one", ""), "south": SiteRule("two", "")})
    after = replace(BASE, sites={"south": SiteRule("three", "", role="supporting")})
    assert rows(before, after) == [
        ("sites.north", "asked for", "none", "loosened"),
        ("sites.south.role", "gate", "supporting", "loosened"),
        ("sites.south.key", "two", "three", "changed"),
    ]


INT8 = replace(
    BASE, exports={"tflite_int8": ExportRule(("tflite",), required=True, agreement=0.99)}
)
TFJS = replace(BASE, exports={"tfjs": ExportRule(("node_wasm",), checks=BASE.checks)})


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        (
            INT8,
            BASE,
            [
                ("exports.tflite_int8.required", "required", "optional", "loosened"),
                ("exports.tflite_int8.agreement", "0.99", "0.97", "loosened"),
            ],
        ),
        (
            BASE,
            TFJS,
            [
                ("exports.tfjs.chromium_wasm", "asked for", "none", "loosened"),
                ("exports.tfjs.checks", "the policy's", "of its own", "changed"),
                ("exports.tfjs.brier[overall]", "none", "asked for", "tightened"),
                ("exports.tfjs.sensitivity[overall]", "none", "asked for", "tightened"),
            ],
        ),
        (
            TFJS,
            replace(
                TFJS,
                exports={
                    "tfjs": replace(
                        TFJS.exports["tfjs"],
                        difference=0.2,
                        checks=(check("sensitivity", floor=0.8, margin=0.05), BASE.checks[1]),
                    )
                },
            ),
            [
                ("exports.tfjs.sensitivity[overall].floor", "0.9", "0.8", "loosened"),
                ("exports.tfjs.difference", "0.05", "0.2", "loosened"),
            ],
        ),
    ],
)
def test_a_limit_of_an_artefact_is_not_loosened_unseen(
    before: Policy, after: Policy, wanted: list[tuple[str, ...]]
) -> None:
    assert rows(before, after) == wanted
