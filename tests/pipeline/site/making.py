"""A workspace with a release, a rollback and texts that mean mischief, and ways to ask its site."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin

import pytest

from components.decision import Flips
from components.records.ledger.ledger import Ledger
from pipeline.settings.workspace import Workspace
from pipeline.site.server import make_app
from pipeline.site.site import Site
from tests.components.planting import sha
from tests.pipeline.evidence.releasing import PLACE, RUN, VERSION, released

# A script, the end of an attribute, a line break, text to the left, and a mark that turns it.
NASTY = "\"><script>window.bad=1</script>' onload=x; DROP TABLE Artifact;--\n שלום \u202eevil\u202c"
PERSON = "Dr. <b>O'Neill</b> & 日本"
BACK = VERSION + 1


def hostile(folder: Path) -> Path:
    """The workspace: version 7 released, its model put back as version 8, and NASTY everywhere.

    Case ids, a case set's name, a reason, a person's name, and a run id that is a path.
    """
    made = released(
        folder,
        forged=lambda decision: replace(
            decision, flips=(Flips("golden", (), (NASTY, "case-0001"), (NASTY,)),)
        ),
    )
    ledger = Ledger(made.workspace.ledger)
    look = {"case_set": NASTY, "case_set_version": 1, "case_set_root": sha("root")}
    for run_id in (NASTY, "../../../etc/passwd"):
        ledger.append("look", {"run_id": run_id, **look}, by="casegate", at="2026-01-02T00:00:00Z")
    model = made.record.release
    assert model is not None and made.record.decision is not None
    body = {
        "destination": PLACE,
        "from_version": VERSION,
        "to_version": VERSION,
        "new_version": BACK,
        "from_model_sha256": model.model_sha256,
        "to_model_sha256": model.model_sha256,
        "decision_sha256": made.record.decision.decision_sha256,
        "reason": NASTY,
    }
    ledger.append("rollback", body, by=PERSON, at="2026-01-03T00:00:00Z")
    return made.workspace.root


def html(site: Site, place: str, **parameters: str) -> str:
    """A page that has to be there."""
    found = site.respond(place, parameters)
    assert found.status == 200, (place, found.body[-600:])
    return found.body.decode()


def links_in(page: str, place: str) -> set[str]:
    """Addresses that a page at `place` names, without their parameters."""
    found = re.findall(r'(?:href|action|src)="([^"]*)"', page)
    there = {urljoin(f"http://site/{place}", unescape(link)) for link in found}
    return {link.partition("?")[0] for link in there if link.startswith("http://site/")}


def anchors_in(page: str) -> set[str]:
    return set(re.findall(r'id="([^"]*)"', page))


def split(link: str) -> tuple[str, str]:
    """A link's place in the site, and its anchor."""
    address, anchor = urldefrag(link.removeprefix("http://site/"))
    return address, anchor


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(
    root: Path,
    path: str = "/",
    *,
    method: str = "GET",
    host: str = "127.0.0.1:8421",
    query: str = "",
    app: Any = None,
    raises: type[Exception] | None = None,
) -> Answer:
    """What the application answers to one request; no server and no network.

    Args:
      raises: what it raises for the server to log, after it answered.
    """
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", host.encode())],
        "server": ("127.0.0.1", 8421),
        "client": ("127.0.0.1", 50000),
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(raises) if raises else nullcontext():
        asyncio.run((app or make_app(Site(root)))(scope, receive, send))
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(m.get("body", b"") for m in sent[1:]))


__all__ = ["BACK", "NASTY", "PERSON", "PLACE", "RUN", "VERSION", "Workspace"]
