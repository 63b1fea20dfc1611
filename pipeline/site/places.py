"""Where each page stands, and how one page names another.

Addresses are relative files that end in .html, so that the same pages work from a server, from a
folder and from an archive below any address.
"""

import hashlib
import re
from urllib.parse import quote, urlencode

HOME, STYLE = "index.html", "audit.css"
RELEASES, RUNS, LEDGER, VERIFY = "releases.html", "runs.html", "ledger.html", "verify.html"
CASE_SETS, BLOCKED, LIVE = "case-sets.html", "blocked.html", "live.html"
COMPARE, SEARCH = "compare.html", "search.html"

ENTRIES_PER_PAGE = 500

# What may stand in an address: never a slash, never a dot in front.
_SAFE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


def is_safe(name: str) -> bool:
    """Whether a run id or version can be part of an address as it is."""
    return _SAFE.fullmatch(name) is not None


def run_page(run_id: str, what: str = "index") -> str:
    return f"run/{run_id}/{what}.html"


def run_file(run_id: str, name: str) -> str:
    return f"run/{run_id}/files/{name}"


def release_page(name: str, what: str = "index") -> str:
    return f"release/{name}/{what}.html"


def comparison_page(first: str, second: str) -> str:
    return f"compare/{first}/{second}.html"


def case_set_page(name: str) -> str:
    """By name where it is plain; by the name's hash where it could mean something to a browser."""
    plain = _PLAIN.fullmatch(name) is not None
    return f"case-set/{name if plain else named_by_hash(name)}.html"


def named_by_hash(name: str) -> str:
    return f"x-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def ledger_page(number: int) -> str:
    return f"ledger/{number}.html"


def entry_place(seq: int) -> str:
    return f"{ledger_page((seq - 1) // ENTRIES_PER_PAGE + 1)}#entry-{seq}"


def relative(here: str, there: str, **parameters: str) -> str:
    """What the page at `here` writes to name `there`; `there` may end in #anchor."""
    path, mark, anchor = there.partition("#")
    up = "../" * here.count("/")
    question = f"?{urlencode(parameters)}" if parameters else ""
    return f"{up}{quote(path)}{question}{mark}{quote(anchor)}"
