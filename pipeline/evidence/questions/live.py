"""What was serving at some time, by the ledger's releases and rollbacks."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from components.records.clock import current_time, time_text
from components.records.errors import ConfigError, suggestion
from components.records.ledger.records import Release
from components.release.serving import versions
from pipeline.evidence.answer import Answer, Table, Value
from pipeline.evidence.moment import asked, moment
from pipeline.evidence.subject import Evidence

COLUMNS = (
    "destination",
    "version",
    "since",
    "until",
    "still_serving",
    "kind",
    "by",
    "run",
    "model",
    "signed",
    "entry",
)
_LINKS = {"version": "release", "run": "run", "model": "sha256"}


def live(evidence: Evidence, at: str, *, destination: str | None = None) -> Answer:
    """Which version each destination served at that time, and whether it still does.

    Args:
      at: ISO 8601; without a time zone it is taken as UTC, and the answer says so.
      destination: `serving/MODEL`; None for all.

    Raises:
      ConfigError: no time, one that is still to come, or no such destination.
    """
    instant, remark = asked(at, option="--at")
    now = current_time()
    if instant > now:
        raise ConfigError(
            f"--at {at}: is still to come, now is {time_text(now)}; what will serve then is not "
            "known"
        )
    places = _places(evidence, destination)
    rows = tuple(_row(evidence, place, instant) for place in places)
    notes = [remark] if remark else []
    for place in places:
        notes += _remarks(evidence, place, instant)
    return Answer(
        question=f"what was serving at {time_text(instant)}",
        facts={
            "at": time_text(instant),
            "destinations": len(places),
            "serving then": sum(row[1] is not None for row in rows),
            "of these serving still": sum(row[4] is True for row in rows),
        },
        tables=(Table("live", f"Serving at {time_text(instant)}", COLUMNS, rows, _LINKS),),
        notes=tuple(notes),
        evidence=(f"{evidence.workspace.ledger}: {len(evidence.entries)} entries, chain intact",),
    )


def _places(evidence: Evidence, destination: str | None) -> list[str]:
    known = sorted(evidence.serving())
    if destination is None:
        return known
    name = destination.rstrip("/")
    if name not in known:
        name = evidence.place(Path(destination))
    if name not in known:
        known_words = suggestion(destination, known) if known else "; nothing was ever released"
        raise ConfigError(f"--destination {destination}: nothing was released there{known_words}")
    return [name]


def _row(evidence: Evidence, place: str, instant: datetime) -> tuple[Value, ...]:
    history = _history(evidence, place)
    count = _put_by(history, instant)
    if not count:
        return (place, None, None, history[0].at, False) + (None,) * 6
    there = history[count - 1]
    after = history[count] if count < len(history) else None
    return (
        place,
        there.version,
        there.at,
        after.at if after else None,
        after is None,
        there.kind if there.restored is None else f"rollback to {there.restored}",
        there.by,
        evidence.run_of(there),
        there.model_sha256,
        there.attestation_sha256 is not None,
        there.seq,
    )


def _history(evidence: Evidence, place: str) -> list[Release]:
    """What was put there, in the ledger's order."""
    return [release for release in evidence.releases if release.destination == place]


def _put_by(history: list[Release], instant: datetime) -> int:
    """How many had been put there, by the ledger's order where a clock was set back."""
    numbers = [n for n, r in enumerate(history, 1) if moment(r.at).first <= instant]
    return numbers[-1] if numbers else 0


def _remarks(evidence: Evidence, place: str, instant: datetime) -> Iterator[str]:
    history = _history(evidence, place)
    count, last = _put_by(history, instant), history[-1]
    if not count:
        yield f"{place}: nothing was serving then; its first version came at {history[0].at}."
    elif count < len(history) and history[count - 1].model_sha256 == last.model_sha256:
        yield (
            f"{place}: the same model serves now again, as version {last.version}, since {last.at}."
        )
    there = versions(evidence.workspace.root / place)
    if not there:
        yield f"{place}: the folder holds no version any more."
    elif there[-1] != last.version:
        yield (
            f"{place}: the highest version in the folder is {there[-1]}, the ledger's last is "
            f"{last.version}: something was put there or taken away past the ledger; see "
            "`casegate lineage verify --all`."
        )
