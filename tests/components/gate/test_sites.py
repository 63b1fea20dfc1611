"""A site's signed word on a candidate, and all that is none."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from components.attestation.envelope import verify
from components.attestation.keys import Signer, new_key
from components.attestation.site import SiteAnswers, signed_request, signed_verdict
from components.attestation.statements import MODEL, SITE_REQUEST_TYPE, Statement, from_bytes
from components.decision import CheckResult, Decision, Verdict
from components.gate.conditions import EvaluatorFindings
from components.gate.decide import decide
from components.gate.policy import Policy, SiteRule
from components.gate.waiving import WAIVABLE
from components.statistics.random_effects import pool_effects
from tests.components.planting import approved, check, locked, policy, scored, sha

RUN = "20260101T000000.000000Z"
WHEN = {"asked_at": "2026-01-01T00:00:00.000Z", "answer_by": "2026-01-01T01:00:00.000Z"}
CASES = locked(40, 40)
CANDIDATE = scored(CASES)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Signer]:
    root = tmp_path_factory.mktemp("keys")
    return {name: new_key(root, name)[2] for name in ("coordinator", "north", "south", "stranger")}


def public_line(signer: Signer) -> str:
    """Ed25519 in DER is these twelve bytes and the key."""
    der = bytes.fromhex("302a300506032b6570032100" + signer.crypto.public_key.keyval["public"])
    return base64.b64encode(der).decode()


def asked(keys: Mapping[str, Signer], model: str = CANDIDATE.model_sha256, run: str = RUN) -> bytes:
    return signed_request(model, [keys["coordinator"]], run_id=run, policy="planted", **WHEN)


def said(verdict: str = "PASS", figures: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "verdict": verdict,
        "decided_at": "2026-01-01T00:30:00.000Z",
        "decision_sha256": sha("its decision"),
        "policy_sha256": sha("its policy"),
        "looks": {"used": 2, "planned": 9},
        "figures": figures or [],
    }


def answer(request: bytes, signer: Signer, content: Mapping[str, Any] | None = None) -> str:
    signed = verify(request, [], where="request")
    statement = from_bytes(signed.payload, SITE_REQUEST_TYPE, where="request")
    given = said() if content is None else content
    return signed_verdict(statement, signed.payload_sha256, given, signer).decode()


def sites_policy(keys: Mapping[str, Signer], **roles: str) -> Policy:
    rules = {
        name: SiteRule(public_line(keys[name]), "planted", roles.get(name, "gate"))
        for name in ("north", "south")
    }
    return replace(policy(check(floor=0.5)), sites=rules)


def judged(keys: Mapping[str, Signer], given: SiteAnswers | None, **roles: str) -> Decision:
    return decide(
        policy=sites_policy(keys, **roles),
        case_set=CASES,
        candidate=CANDIDATE,
        champion=None,
        golden=approved(scored(CASES, model="golden")),
        evaluator=EvaluatorFindings(blessed=True),
        findings=(),
        run_id=RUN,
        created="2026-01-01T02:00:00Z",
        sites=given,
    )


def site(decision: Decision, name: str) -> CheckResult:
    return next(one for one in decision.checks if one.check == f"site[{name}]")


def with_south(keys: Mapping[str, Signer], south: str | None) -> SiteAnswers:
    """North passes the candidate; `south` is what the other sends to the same request."""
    request = asked(keys)
    answers = {"north": answer(request, keys["north"])}
    return SiteAnswers(request.decode(), answers | ({"south": south} if south else {}))


def test_all_sites_pass_and_so_does_the_candidate(keys: dict[str, Signer]) -> None:
    request = asked(keys)
    answers = {name: answer(request, keys[name]) for name in ("north", "south")}
    found = judged(keys, given := SiteAnswers(request.decode(), answers))
    assert (found.verdict, found.exit_code) == (Verdict.PASS, 0)
    assert found.hashes["sites"] == given.sha256
    assert sha("its decision")[:12] in site(found, "north").reason


@pytest.mark.parametrize(("verdict", "code"), [("FAIL", 1), ("INCONCLUSIVE", 3)])
def test_one_harmed_site_blocks_whatever_the_others_say(
    keys: dict[str, Signer], verdict: str, code: int
) -> None:
    request = asked(keys)
    answers = {"north": answer(request, keys["north"])}
    answers["south"] = answer(request, keys["south"], said(verdict))
    found = judged(keys, SiteAnswers(request.decode(), answers))
    assert (found.verdict.value, found.exit_code) == (verdict, code)
    assert site(found, "north").verdict is Verdict.PASS
    assert "site" not in WAIVABLE


def test_a_site_that_only_supports_blocks_nothing(keys: dict[str, Signer]) -> None:
    found = judged(keys, with_south(keys, None), south="supporting")
    assert (found.verdict, site(found, "south").verdict) == (Verdict.PASS, Verdict.INCONCLUSIVE)


def test_a_late_site_and_one_that_nobody_asked_have_not_passed_it(keys: dict[str, Signer]) -> None:
    late = judged(keys, with_south(keys, None))
    assert (late.exit_code, site(late, "south").verdict) == (3, Verdict.INCONCLUSIVE)
    unasked = judged(keys, None)
    assert unasked.exit_code == 3 and "sites" not in unasked.hashes
    assert {site(unasked, name).verdict for name in ("north", "south")} == {Verdict.INCONCLUSIVE}


def of_another_key(keys: Mapping[str, Signer], request: bytes) -> str:
    return answer(request, keys["stranger"])


def of_the_other_site(keys: Mapping[str, Signer], request: bytes) -> str:
    return answer(request, keys["north"])


def of_another_model(keys: Mapping[str, Signer], request: bytes) -> str:
    signed = verify(request, [], where="request")
    statement = from_bytes(signed.payload, SITE_REQUEST_TYPE, where="request")
    other = Statement(SITE_REQUEST_TYPE, {MODEL: sha("another")}, statement.predicate)
    return signed_verdict(other, signed.payload_sha256, said(), keys["south"]).decode()


def of_an_earlier_run(keys: Mapping[str, Signer], request: bytes) -> str:
    return answer(asked(keys), keys["south"])


def of_the_request_itself(keys: Mapping[str, Signer], request: bytes) -> str:
    return request.decode()


def with_the_verdict_changed(keys: Mapping[str, Signer], request: bytes) -> str:
    envelope = json.loads(answer(request, keys["south"], said("FAIL")))
    payload = base64.b64decode(envelope["payload"]).replace(b'"FAIL"', b'"PASS"')
    envelope["payload"] = base64.b64encode(payload).decode()
    return json.dumps(envelope, sort_keys=True, separators=(",", ":")) + "\n"


def cut_short(keys: Mapping[str, Signer], request: bytes) -> str:
    return answer(request, keys["south"])[:-40]


def of_no_word_at_all(keys: Mapping[str, Signer], request: bytes) -> str:
    return "\ufffd" * 9


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (of_another_key, "wanted 1"),
        (of_the_other_site, "wanted 1"),
        (of_another_model, "is about model"),
        (of_an_earlier_run, "another request"),
        (of_the_request_itself, "wanted 1"),
        (with_the_verdict_changed, "altered"),
        (cut_short, "south.dsse.json"),
        (of_no_word_at_all, "south.dsse.json"),
    ],
)
def test_what_is_not_its_word_on_this_candidate_is_a_broken_chain(
    keys: dict[str, Signer], made: Any, words: str
) -> None:
    request = asked(keys)
    answers = {"north": answer(request, keys["north"]), "south": made(keys, request)}
    found = judged(keys, SiteAnswers(request.decode(), answers))
    assert (found.verdict, found.exit_code) == (Verdict.FAIL, 4)
    assert words in site(found, "south").reason and "\n" not in site(found, "south").reason
    assert site(found, "north").verdict is Verdict.PASS


@pytest.mark.parametrize("other", ["model", "run"])
def test_answers_to_another_request_count_for_no_site(keys: dict[str, Signer], other: str) -> None:
    request = asked(keys, **{other: sha("another")})
    answers = {name: answer(request, keys[name]) for name in ("north", "south")}
    found = judged(keys, SiteAnswers(request.decode(), answers))
    assert found.exit_code == 4
    assert {site(found, name).verdict for name in answers} == {Verdict.FAIL}


def figure(estimate: float, half: float) -> dict[str, Any]:
    return {
        **{"metric": "sensitivity", "against": "golden", "verdict": "PASS", "n": 100},
        **{"estimate": estimate, "lower": estimate - half, "upper": estimate + half},
        **{"limit": -0.1, "alpha": 0.025},
    }


def test_figures_of_sites_are_shown_and_pooled_and_decide_nothing(keys: dict[str, Signer]) -> None:
    request = asked(keys)
    answers = {
        "north": answer(request, keys["north"], said("PASS", [figure(0.02, 0.03)])),
        "south": answer(request, keys["south"], said("FAIL", [figure(-0.2, 0.05)])),
    }
    found = judged(keys, SiteAnswers(request.decode(), answers))
    assert (found.verdict, found.exit_code) == (Verdict.FAIL, 1)
    shown = {one.check: one for one in found.checks if one.rule == "site"}
    assert shown["site[south].sensitivity.golden"].estimate == -0.2
    assert shown["site[south].sensitivity.golden"].role == "supporting"
    (line,) = [line for line in found.findings if "over 2 sites" in line]
    z = 1.959964
    pooled = pool_effects((0.02, -0.2), (0.03 / z, 0.05 / z), alpha=0.025)
    assert f"by {pooled.estimate:+.4f} ({pooled.lower:+.4f} to {pooled.upper:+.4f})" in line
