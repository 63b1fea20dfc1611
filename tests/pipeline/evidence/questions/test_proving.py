"""Proofs for somebody who has none of the data, by the command that an auditor types."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from tests.pipeline.evidence.spans import Spans, training


@pytest.fixture
def spans(tmp_path: Path) -> Spans:
    spans = Spans(tmp_path)
    spans.run([training(i) for i in range(9)], version=7)
    return spans


def casegate(*words: object) -> Result:
    return CliRunner().invoke(main, ["lineage", "prove", *map(str, words)])


def proven(spans: Spans, tmp_path: Path, case: str) -> Path:
    out = tmp_path / "proof.json"
    said = casegate("7", "--case", case, "--out", out, "--workspace", spans.workspace.root)
    assert said.exit_code == 0, said.output
    return out


@pytest.mark.parametrize("case", ["train-3", "test-2"])
def test_a_proof_holds_without_the_data_and_breaks_when_it_is_altered(
    spans: Spans, tmp_path: Path, case: str
) -> None:
    (manifest,) = spans.workspace.training.glob("*.jsonl")
    known = ("--root", manifest.stem, "--cases", 9)
    proof = proven(spans, tmp_path, case)
    manifest.unlink()
    assert casegate("--check", proof, *known).exit_code == 0
    wrong = casegate("--check", proof, "--root", "f" * 64, "--cases", 9)
    assert wrong.exit_code == 4, wrong.output
    document = json.loads(proof.read_text())
    text = json.dumps(document).replace("train-", "trail-", 1)
    proof.write_text(text)
    assert casegate("--check", proof, *known).exit_code == 4


def test_half_a_question_is_a_usage_error(spans: Spans) -> None:
    assert casegate("7", "--workspace", spans.workspace.root).exit_code == 2
    assert casegate("--check", spans.workspace.ledger, "--case", "x").exit_code == 2
