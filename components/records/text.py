"""Words from elsewhere, made fit for a line of text, which they must neither end nor turn."""

from collections.abc import Iterable

NAMED = 3  # how many ids an error spells out
MARK = "\N{REPLACEMENT CHARACTER}"


def printable(text: str, mark: str = " ") -> str:
    """`text` with `mark` for each sign that does not print, such as those that move a cursor."""
    return "".join(sign if sign.isprintable() else mark for sign in text)


def brief(error: BaseException, most: int | None = None) -> str:
    """What an error says, on one line and at most so long; its kind where it says nothing."""
    return " ".join(str(error).split())[:most] or type(error).__name__


def kind_and_words(error: BaseException) -> str:
    """An error as Python shows it, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def one_line(text: str, mark: str = MARK) -> str:
    """As `printable`, with one space for each run of white space."""
    return " ".join(printable(" ".join(text.split()), mark).split())


def last_line(text: str) -> str:
    """The last line that says something, such as of what a program wrote to standard error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def spell(name: str) -> str:
    """An id as it is, or in quotes with what does not print spelled out, such as \\x1b."""
    if name.isprintable():
        return name
    letters = (x if x.isprintable() else x.encode("unicode_escape").decode() for x in name)
    return f'"{"".join(letters)}"'


def first_few(ids: Iterable[str]) -> str:
    """The count and the first ids in order: "7 (a, b, c, ...)"."""
    ordered = sorted(ids)
    more = ", ..." if len(ordered) > NAMED else ""
    return f"{len(ordered)} ({', '.join(spell(name) for name in ordered[:NAMED])}{more})"
