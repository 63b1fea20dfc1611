"""What was serving at some time, by the ledger's releases and rollbacks."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from components.records.clock import current_time, time_text
from components.records.errors import ConfigError, suggestion
from components.records.ledger.records import Release, recorded_name
from components.release.serving import versions
from pipeline.evidence.answer import Answer, Columns, Table
from pipeline.evidence.moment import moment, parse_asked
from pipeline.evidence.subject import Evidence


class Serving(NamedTuple):
    """What a destination served at some time, and until when; None: nothing, or still."""

    destination: str
    release: Release | None
    until: str | None


def live(evidence: Evidence, at: str, *, destination: str | None = None) -> Answer:
    """Which version each destination served at that time, and whether it still does.

    Args:
      at: ISO 8601; without a time zone it is taken as UTC, and the answer says so.
      destination: `serving/MODEL`; None for all.

    Raises:
      ConfigError: no time, one that is still to come, or no such destination.
    """
    instant, notes = parse_asked(at, option="--at")
    now = current_time()
    if instant > now:
        raise ConfigError(
            f"--at {at}: is still to come, now is {time_text(now)}; what will serve then is not "
            "known"
        )
    found = list[Serving]()
    for place in _places(evidence, destination):
        history = [release for release in evidence.releases if release.destination == place]
        # By the ledger's order where a clock was set back.
        count = max(
            (n for n, r in enumerate(history, 1) if moment(r.at).first <= instant), default=0
        )
        after = history[count].at if count < len(history) else None
        found.append(Serving(place, history[count - 1] if count else None, after))
        notes += _remarks(evidence, place, history, count)
    when = time_text(instant)
    return Answer(
        question=f"what was serving at {when}",
        facts={
            "at": when,
            "destinations": len(found),
            "serving then": sum(one.release is not None for one in found),
            "of these serving still": sum(one.until is None for one in found),
        },
        tables=(_table(evidence, f"Serving at {when}", found),),
        notes=tuple(notes),
        evidence=(evidence.ledger_line,),
    )


def _places(evidence: Evidence, destination: str | None) -> list[str]:
    known = sorted(evidence.serving())
    if destination is None:
        return known
    name = destination.rstrip("/")
    if name not in known:
        name = recorded_name(Path(destination).resolve(), evidence.workspace.root)
    if name not in known:
        known_words = suggestion(destination, known) if known else "; nothing was ever released"
        raise ConfigError(f"--destination {destination}: nothing was released there{known_words}")
    return [name]


def _table(evidence: Evidence, title: str, found: list[Serving]) -> Table:
    columns: Columns = {
        "destination": "destination",
        "version": "release.version",
        "since": "release.at",
        "until": "until",
        "still_serving": lambda one: one.until is None,
        "kind": lambda one: one.release and _kind(one.release),
        "by": "release.by",
        "run": lambda one: one.release and evidence.run_of(one.release),
        "model": "release.model_sha256",
        "signed": lambda one: one.release and one.release.attestation_sha256 is not None,
        "entry": "release.seq",
    }
    links = {"version": "release", "run": "run", "model": "sha256"}
    return Table.of("live", title, found, columns, links)


def _kind(release: Release) -> str:
    return release.kind if release.restored is None else f"rollback to {release.restored}"


def _remarks(evidence: Evidence, place: str, history: list[Release], count: int) -> Iterator[str]:
    last = history[-1]
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
