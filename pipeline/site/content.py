"""What a page holds, before it becomes HTML: sections of facts, tables, pictures and forms."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from markupsafe import Markup

from pipeline.evidence.answer import Answer, Table, Value
from pipeline.site import places


@dataclass(frozen=True)
class Field:
    """One input of a form; `choices` has value and words of each, where it is one of several."""

    name: str
    label: str
    value: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    hint: str = ""


@dataclass(frozen=True)
class Form:
    """A question that is asked by GET; `place` is the page that answers it."""

    place: str
    button: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Link:
    """A link to a page of the site."""

    words: str
    place: str
    parameters: Mapping[str, str] = field(default_factory=dict)


OVERVIEW = Link("Overview", places.HOME)


@dataclass(frozen=True)
class PageSection:
    """Attributes:
    name: unique in the page; anchors point to it.
    alarm: what is wrong, in one line; shown before everything else.
    severe: it is the evidence that is wrong, and not what was asked.
    folded: shown when it is opened, as the text of a picture is.
    row_names: what anchors call the rows of the first table, in their order.
    exit_code: as the command that gives the same answer ends.
    whole: tables are never cut.
    """

    title: str
    name: str
    facts: Mapping[str, Value] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    picture: Markup | None = None
    form: Form | None = None
    alarm: str | None = None
    severe: bool = True
    folded: bool = False
    row_names: tuple[str, ...] = ()
    exit_code: int = 0
    whole: bool = False


@dataclass(frozen=True)
class Page:
    """Attributes:
    lead: one sentence under the title.
    trail: the pages it belongs under, outermost first.
    command: what answers the same on the command line.
    """

    place: str
    title: str
    sections: tuple[PageSection, ...]
    lead: str = ""
    trail: tuple[Link, ...] = (OVERVIEW,)
    command: str | None = None
    status: int = 200


@dataclass(frozen=True)
class Document:
    """A file that is none of the site's pages, with the content policy it is shown under."""

    body: bytes
    media_type: str
    policy: str
    status: int = 200


def section_of(answer: Answer, title: str, name: str) -> PageSection:
    shared = ("facts", "tables", "notes", "evidence", "exit_code")
    return PageSection(title, name, **{key: getattr(answer, key) for key in shared})
