from pathlib import Path

import pytest

from components.records.ledger import KINDS
from components.records.text import one_line
from pipeline.commands.ledger import KINDS as OFFERED
from pipeline.governance.show_ledger import sentence
from tests.components.records.ledger.making import filled

SAID = {
    "decision": "PASS (exit 0) in run run-1, candidate",
    "look": "run run-1 judged a candidate on planted version 1",
    "approval": "the candidate of run run-1: as good on every device",
    "waiver": "sensitivity[overall].floor of run run-1 until 2025-12-31, second: B. Statistician",
    "amendment": "planted version 1 -> 2 (2 added): two cases from the new device",
    "release": "serving/pneumonia version 1767261600, model",
    "rollback": "serving/pneumonia version 2 -> 1, served as version 3: complaints from the ward",
    "run": "run run-1 ended: released (exit 0)",
    "drift": "device, sharpness moved over 412 served cases, 2026-11-24 to 2026-11-30: monitoring/",
    "promotion": "1 cases into data/hospital/span-0007, 1 proposed as sentinels: read by two",
    "retention": "12 files of 1 runs removed, 40000000 bytes: retention/",
}


def test_each_kind_has_a_sentence_that_names_what_matters(tmp_path: Path) -> None:
    entries = filled(tmp_path).entries()
    assert [entry.kind for entry in entries] == list(KINDS) == list(OFFERED)
    for entry in entries:
        words = sentence(entry)
        assert SAID[entry.kind] in words
        assert words.isprintable()


@pytest.mark.parametrize(
    "text, shown",
    [
        ("a\n b", "a b"),
        ("\x1b[31mred", "\ufffd[31mred"),
        ("a\u202eb", "a\ufffdb"),
        ("日本", "日本"),
    ],
)
def test_what_does_not_print_is_marked(text: str, shown: str) -> None:
    assert one_line(text) == shown
