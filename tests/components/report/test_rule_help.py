import json
from pathlib import Path

from components.report.rule_help import HELP

ROOT = Path(__file__).resolve().parents[3]


def test_every_rule_of_the_schema_has_its_help() -> None:
    schema = json.loads((ROOT / "schemas" / "gate_decision.json").read_text(encoding="utf-8"))
    rules = schema["properties"]["checks"]["items"]["properties"]["rule"]["enum"]
    assert set(rules) <= HELP.keys()
