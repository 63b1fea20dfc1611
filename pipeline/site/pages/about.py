"""Which run or release a page is about, and what its pages are called."""

from dataclasses import dataclass

from components.records.errors import ConfigError
from pipeline.evidence.subject import Subject
from pipeline.site import places
from pipeline.site.content import Link
from pipeline.site.view import OVERVIEW, View


@dataclass(frozen=True)
class AboutPage:
    """Attributes:
    name: of the run or of the release's page.
    """

    subject: Subject
    name: str
    is_release: bool

    @property
    def title(self) -> str:
        if self.is_release and self.subject.release is not None:
            return f"Version {self.subject.release.version}"
        return f"Run {self.subject.run_id}"

    @property
    def asked_by(self) -> str:
        """What the command line calls it."""
        if self.is_release and self.subject.release is not None:
            several = "-" in self.name
            where = f" --destination {self.subject.release.destination}" if several else ""
            return f"{self.subject.release.version}{where}"
        return self.subject.run_id

    def place(self, what: str = "index") -> str:
        page = places.release_page if self.is_release else places.run_page
        return page(self.name, what)

    def trail(self, *, below: bool) -> tuple[Link, ...]:
        kind = Link("Releases", places.RELEASES) if self.is_release else Link("Runs", places.RUNS)
        own = (Link(self.title, self.place()),) if below else ()
        return (OVERVIEW, kind, *own)


def about(view: View, name: str) -> AboutPage:
    """The release that has this name, or else the run; raises ConfigError where there is none."""
    return release_about(view, name) if name in view.catalogue.releases else run_about(view, name)


def run_about(view: View, run_id: str) -> AboutPage:
    """Raises ConfigError where no such run is known."""
    if run_id not in view.catalogue.runs:
        raise ConfigError(f"run {run_id}: not known to this workspace")
    released = [r for r in view.evidence.releases if r.run_id == run_id]
    return AboutPage(Subject(run_id, released[-1] if released else None), run_id, False)


def release_about(view: View, name: str) -> AboutPage:
    """Raises ConfigError where no such release is known."""
    release = view.catalogue.releases.get(name)
    if release is None:
        raise ConfigError(f"version {name}: not known to this workspace")
    return AboutPage(Subject(view.evidence.run_of(release), release), name, True)
