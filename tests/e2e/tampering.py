"""Each way of altering a workspace afterwards, and what `casegate lineage verify` has to name."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

from tests.e2e.auditing import Audited


def _run_file(name: str, run: str = "released") -> Callable[[Audited], Path]:
    return lambda audited: audited.workspace / "runs" / audited.runs[run] / name


def _replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def _sql(audited: Audited, statement: str) -> None:
    with sqlite3.connect(audited.workspace / "metadata.sqlite") as connection:
        changed = connection.execute(statement).rowcount
    assert changed > 0, statement


def _verdict_row(audited: Audited) -> None:
    _sql(
        audited,
        "UPDATE ArtifactProperty SET string_value = 'PASS' WHERE name = 'verdict' "
        "AND string_value = 'FAIL'",
    )


def _event_row(audited: Audited) -> None:
    _sql(audited, "DELETE FROM Event WHERE id = (SELECT min(id) FROM Event)")


def _uri_row(audited: Audited) -> None:
    _sql(
        audited, "UPDATE Artifact SET uri = '/elsewhere' WHERE id = (SELECT min(id) FROM Artifact)"
    )


def _package_row(audited: Audited) -> None:
    _sql(
        audited,
        "UPDATE ArtifactProperty SET string_value = '9.9' WHERE name = 'tensorflow' "
        "AND is_custom_property",
    )


def _model(audited: Audited) -> None:
    (
        audited.workspace / "serving/pneumonia" / str(audited.versions[0]) / "saved_model.pb"
    ).write_bytes(b"x")


def _ledger(audited: Audited) -> None:
    _replaced(audited.workspace / "ledger.jsonl", '"by":"A. Tester"', '"by":"B. Tester"')


def _swapped(audited: Audited) -> None:
    one, other = (_run_file("decision.dsse.json", run)(audited) for run in ("released", "second"))
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)


def _unsigned(audited: Audited) -> None:
    _run_file("decision.dsse.json")(audited).unlink()


def _redated(audited: Audited) -> None:
    path = _run_file("decision.json")(audited)
    created = json.loads(path.read_text())["created"]
    _replaced(path, created, "2020-01-01T00:00:00Z")


def _manifest(audited: Audited) -> None:
    (path,) = [p for p in (audited.workspace / "training").glob("*.jsonl")][:1]
    _replaced(path, '"split":"train"', '"split":"tune"')


def _edit(name: str, old: str, new: str, run: str = "released") -> Callable[[Audited], None]:
    return lambda audited: _replaced(_run_file(name, run)(audited), old, new)


TAMPERINGS: list[tuple[Callable[[Audited], None], str]] = [
    (_verdict_row, "verdict"),
    (_event_row, "graph of run"),
    (_uri_row, "uri"),
    (_package_row, "tensorflow"),
    (_model, "saved_model|serving/pneumonia"),
    (_ledger, "entry"),
    (_swapped, "decision.dsse.json"),
    (_unsigned, "decision.dsse.json"),
    (_redated, "decision.json"),
    (_manifest, "training"),
    (_edit("report.html", "</html>", "<!-- --></html>"), "report.html"),
    (_edit("scores.json", '"operating_point"', '"operating_point" '), "scores.json"),
    (_edit("run.json", "Radiology", "Cardiology", "second"), "run.json"),
    (_edit("config.json", '"seed":20', '"seed":21'), "config.json"),
]
