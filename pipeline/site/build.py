"""The site as a folder of files, for an archive: the same pages, without what needs a server."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from components.records.errors import CasegateError, ConfigError
from components.records.files import write_atomically
from pipeline.site.places import HOME
from pipeline.site.site import Site


@dataclass(frozen=True)
class Built:
    """Attributes:
    faults: what does not fit, in one line each; the page at that address says so too.
    """

    pages: int
    bytes: int
    faults: tuple[str, ...]


def build(root: Path, out: Path, *, progress: Callable[[int, int], None]) -> Built:
    """Writes every page below `out`.

    Args:
      out: a folder that is not there yet, or is empty.
      progress: is told how many of how many pages are written.

    Raises:
      ConfigError: something lies in the folder, or it cannot be written.
      IntegrityError: the ledger does not fit.
    """
    _refuse_full(out)
    site, size, faults = Site(root.resolve(), searches=False), 0, []
    with site.opened() as session:
        wanted = list(session.places())
        for count, place in enumerate(wanted, start=1):
            try:
                found = session.document(place, {})
            except CasegateError as error:
                found = site.fault(place, error)
                faults.append(f"{place}: {error}")
            path = out / place
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, found.body)
            except OSError as error:
                raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
            size += len(found.body)
            progress(count, len(wanted))
    return Built(len(wanted), size, tuple(faults))


def _refuse_full(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out}: something is there already; name a new or empty folder")


def first_page(out: Path) -> Path:
    return out / HOME
