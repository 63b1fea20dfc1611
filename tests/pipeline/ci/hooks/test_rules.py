"""What may become a commit, and what may not."""

from dataclasses import replace

import pytest

from components.baselines.amend import CaseChanges, amend_case_set
from components.baselines.golden import Golden, Rescoring, load_golden, save_golden
from pipeline.ci.hooks.rules import alone, case_sets, named_approver, no_pixels, policies
from tests.pipeline.ci.hooks.making import BASELINE, CASES, POLICY, Repo

pytestmark = pytest.mark.process  # git, many times

NEXT = amend_case_set(
    CASES,
    CaseChanges(retire=("case-0001",)),
    author="A. Radiologist",
    reason="blur",
    date="2026-02-01",
)
ALL = (policies, case_sets, no_pixels, alone)


def test_a_new_baseline_with_all_its_files_is_fine(tmp_path) -> None:
    repo = Repo(tmp_path / "new")
    assert repo.found(*ALL) == []
    repo.with_baseline()
    assert repo.found(*ALL, old="0" * 40, new="HEAD") == []


def test_what_lies_elsewhere_is_nobodys_business(repo: Repo) -> None:
    repo.stage("scan.png", b"\x89PNG\r\n\x1a\n")
    repo.stage("pipeline/policy.yaml", "name: [")
    assert repo.found(*ALL) == []


# Policies


def test_what_is_staged_counts_and_not_the_working_tree(repo: Repo) -> None:
    repo.stage(f"{BASELINE}/policy.yaml", POLICY.replace("0.60", "0.99"))
    repo.write(f"{BASELINE}/policy.yaml", POLICY)
    assert len(repo.found(policies)) == 1
    repo.git("add", BASELINE)
    repo.write(f"{BASELINE}/policy.yaml", "broken: [")
    assert repo.found(policies) == []


def amend(repo: Repo, case_set=NEXT) -> None:
    repo.keep("case_set.json", "case_set-0001.json")
    repo.stage_case_set(case_set)


def test_a_case_set_that_is_removed_is_refused_and_so_is_its_whole_baseline(repo: Repo) -> None:
    repo.git("rm", "--quiet", f"{BASELINE}/case_set.json")
    assert [one for one in repo.found(case_sets) if "case_set.json: is gone" in one]
    repo.git("rm", "--quiet", "-r", BASELINE)
    for rule, name in ((policies, "policy.yaml"), (case_sets, "case_set"), (alone, "golden")):
        assert [one for one in repo.found(rule) if f"{BASELINE}/{name}" in one and "is gone" in one]


# Pixels


@pytest.mark.parametrize(
    ("mode", "of", "what"), [("120000", ":README", "a link"), ("160000", "HEAD", "a submodule")]
)
def test_what_leads_elsewhere_is_refused(repo: Repo, mode: str, of: str, what: str) -> None:
    repo.stage("README", "../scan.png")
    there = f"{BASELINE}/there"
    oid = repo.git("rev-parse", of)
    repo.git("update-index", "--add", "--cacheinfo", f"{mode},{oid},{there}")
    (words,) = repo.found(no_pixels)
    assert words == f"{there}: got {what}, wanted text; baselines never hold pixels"


# Golden, and standing alone


def test_golden_that_moves_by_approval_is_fine(repo: Repo) -> None:
    repo.keep("golden.json", "golden-0001.json")
    repo.stage_golden(wrong=(1,))
    assert repo.found(*ALL) == []


def test_golden_without_its_past_in_history_is_refused(repo: Repo) -> None:
    repo.stage_golden(wrong=(1,))
    (words,) = repo.found(alone)
    assert words.startswith(f"{BASELINE}/golden.json: ")


def test_a_change_of_what_judges_stands_alone(repo: Repo) -> None:
    repo.stage(f"{BASELINE}/policy.yaml", POLICY.replace("0.60", "0.65"))
    assert repo.found(alone) == []
    repo.stage("pipeline/model.py", "better = True")
    repo.stage("README.md", "better")
    (words,) = repo.found(alone)
    assert words == (
        f"{BASELINE}/policy.yaml: changes together with README.md and 1 more; what judges is "
        "committed alone"
    )


# Who approved


def said(repo: Repo, tmp_path, message: str) -> list[str]:
    path = tmp_path / "COMMIT_EDITMSG"
    path.write_text(message)
    return repo.found(named_approver, message=path)


def test_the_message_names_who_approved_golden(repo: Repo, tmp_path) -> None:
    repo.keep("golden.json", "golden-0001.json")
    repo.stage_golden(wrong=(1,), by="Dr. Ito")
    assert said(repo, tmp_path, "Move golden\n\nApproved by: Dr.\n Ito\n") == []
    (words,) = said(repo, tmp_path, "Move golden\n\nApproved by: Dr. Okafor\n")
    assert words == (
        f"{BASELINE}: was approved by Dr. Ito, whom the commit's message does not name; add "
        "'Approved by: Dr. Ito'"
    )


def test_the_message_names_who_amended_the_case_set(repo: Repo, tmp_path) -> None:
    amend(repo)
    assert said(repo, tmp_path, "Amend\n\nBy a. radiologist\n") == []
    assert "was approved by A. Radiologist" in said(repo, tmp_path, "Amend")[0]


def test_an_amendment_that_carries_golden_over_is_whose_amendment_it_is(
    repo: Repo, tmp_path
) -> None:
    path = repo.root / BASELINE / "golden.json"
    repo.keep("golden.json", "golden-0001.json")
    amend(repo)
    golden, roots = load_golden(path), (CASES.merkle_root, NEXT.merkle_root)
    again = Rescoring(*roots, "A. Radiologist", "blur", "2026-02-01")
    approval = replace(golden.approval, rescored=(again,))
    scores = replace(golden.scores, scored_case_set=NEXT.merkle_root)
    save_golden(Golden(scores, approval), path)
    repo.git("add", BASELINE)
    assert repo.found(*ALL) == []
    assert said(repo, tmp_path, "Amend\n\nApproved by: A. Radiologist") == []


def test_the_message_names_somebody_who_approved_a_policy(repo: Repo, tmp_path) -> None:
    repo.stage(f"{BASELINE}/policy.yaml", POLICY.replace("0.60", "0.65"))
    assert said(repo, tmp_path, "Raise the floor\n\nApproved-by: Dr. Ito\n") == []
    for message in ("Raise the floor", "Approved by:", "Raise\n\n# Approved by: Dr. Ito"):
        assert "names nobody who approved that" in said(repo, tmp_path, message)[0]


def test_what_git_cuts_off_a_message_names_nobody(repo: Repo, tmp_path) -> None:
    repo.stage(f"{BASELINE}/policy.yaml", POLICY.replace("0.60", "0.65"))
    below = "# ------------------------ >8 ------------------------\n+Approved by: Dr. Ito"
    assert len(said(repo, tmp_path, f"Raise the floor\n{below}")) == 1


def test_a_change_elsewhere_needs_no_name(repo: Repo, tmp_path) -> None:
    repo.stage("README.md", "better")
    assert said(repo, tmp_path, "Say it better") == []
