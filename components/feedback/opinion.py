"""What readers decided about served cases, and whether that settles what a case is.

An opinion is one line of bytes on disk. It is no entry of the ledger: it holds a score, and
thousands of opinions would hide the decisions there.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, get_args

import orjson

from components.records.chain import fault_in_line, seal, spell_fast
from components.records.errors import ConfigError
from components.records.files import canonical_json

POSITIVE, NEGATIVE, UNSURE = LABELS = ("positive", "negative", "unsure")
READER, ADJUDICATOR = ROLES = ("reader", "adjudicator")
CLI, HTTP, DICOM = SOURCES = ("cli", "http", "dicom")


@dataclass(frozen=True)
class Predicted:
    """What the model answered when it was served.

    Attributes:
      score: in [0, 1].
      positive: its decision; None where the log does not say.
      model: hash or version, as the log names it.
      at: when, ISO 8601 in UTC.
    """

    score: float
    positive: bool | None
    model: str
    at: str


@dataclass(frozen=True)
class OpinionDraft:
    """An opinion before it has its place in the record.

    Attributes:
      role: reader, or adjudicator for one that settles the case.
      nonce: what this reader sends once only; None where nothing was sent.
    """

    at: str
    by: str
    case_id: str
    pixels_sha256: str | None
    label: str
    predicted: Predicted
    note: str | None = None
    role: str = READER
    source: str = CLI
    nonce: str | None = None


@dataclass(frozen=True, kw_only=True)
class Opinion(OpinionDraft):
    """A draft with its place.

    Attributes:
      seq: counts from 1.
      version: counts this reader's opinions on this case from 1; the newest is valid.
      previous: hash of the entry before, `FIRST_PREVIOUS` for the first.
    """

    seq: int
    version: int
    previous: str
    entry_sha256: str


# By key, the types that JSON may hold there.
_PREDICTED = {field.name: get_args(field.type) or (field.type,) for field in fields(Predicted)}
_PREDICTED["score"] = (float, int)
_OPINION = {field.name: get_args(field.type) or (field.type,) for field in fields(Opinion)}
_OPINION["predicted"] = (dict,)


def new_opinion(draft: OpinionDraft, *, seq: int, version: int, previous: str) -> Opinion:
    """An entry that keeps its contract and reads back as it is.

    Raises:
      ConfigError: against schemas/feedback.json, or text that UTF-8 has no bytes for.
    """
    given = {**vars(draft), "predicted": vars(draft.predicted)}
    rest = {**given, "seq": seq, "version": version, "previous": previous}
    document = seal(rest, schema="feedback", what="feedback")
    opinion = Opinion(**{**document, "predicted": draft.predicted})
    if fault := fault_in(parse_line(line_of(opinion)), line_of(opinion)):
        raise ConfigError(f"feedback: would not read back: {fault}")
    return opinion


def line_of(opinion: Opinion) -> bytes:
    """The entry's line, without the line feed that completes it."""
    return canonical_json(_document(opinion))


def parse_line(line: bytes) -> Opinion | None:
    """The entry a line spells, checked for the types of its keys alone; None where it is none."""
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not (_fits(read, _OPINION) and _fits(read["predicted"], _PREDICTED)):
        return None
    if not (read["label"] in LABELS and read["role"] in ROLES and read["source"] in SOURCES):
        return None
    return Opinion(**{**read, "predicted": Predicted(**read["predicted"])})


def fault_in(opinion: Opinion | None, line: bytes) -> str | None:
    """What is wrong with an entry on its own, as it stands in `line`; None where nothing is."""
    if opinion is None:
        return "it is not an opinion in JSON"
    return fault_in_line(_document(opinion), line, spell_fast, canonical_json)


def _document(opinion: Opinion) -> dict[str, Any]:
    return {**vars(opinion), "predicted": vars(opinion.predicted)}


def _fits(read: Any, types: dict[str, tuple[Any, ...]]) -> bool:
    """Whether it is an object with these keys, each of one of its types; True is no number."""
    return (
        type(read) is dict
        and read.keys() == types.keys()
        and all(type(read[key]) in allowed for key, allowed in types.items())
    )


@dataclass(frozen=True)
class JudgedCase:
    """A served case and the newest opinion of everybody who gave one.

    Attributes:
      opinions: one of each reader, in the order in which they came.
      predicted: the newest prediction that any of them speaks of.
      pixels_sha256: of the picture; None where the log has none, or two.
      label: what is settled, positive or negative; None where nothing is.
      settled_by: readers or adjudicator; None as above.
      open_because: why nothing is settled; empty where it is.
    """

    case_id: str
    opinions: tuple[Opinion, ...]
    predicted: Predicted
    pixels_sha256: str | None
    label: str | None
    settled_by: str | None
    open_because: str

    @property
    def right(self) -> bool | None:
        """Whether the model's decision is the settled label; None where either is unknown."""
        if self.label is None or self.predicted.positive is None:
            return None
        return self.predicted.positive == (self.label == POSITIVE)

    @property
    def missed(self) -> bool:
        """A settled positive that the model called negative."""
        return self.label == POSITIVE and self.predicted.positive is False


def judged_cases(opinions: Iterable[Opinion], *, readers: int) -> tuple[JudgedCase, ...]:
    """Every case that somebody gave an opinion on, by its id.

    A case is settled by an adjudicator's newest opinion, or else by at least `readers` readers who
    all say the same and none of whom is unsure.
    """
    newest: dict[str, dict[str, Opinion]] = {}
    for opinion in opinions:
        of_case = newest.setdefault(opinion.case_id, {})
        of_case.pop(opinion.by, None)  # so that the newer one stands at the end
        of_case[opinion.by] = opinion
    return tuple(
        _judged(case_id, tuple(of_case.values()), readers)
        for case_id, of_case in sorted(newest.items())
    )


def _judged(case_id: str, opinions: tuple[Opinion, ...], readers: int) -> JudgedCase:
    pictures = {one.pixels_sha256 for one in opinions if one.pixels_sha256 is not None}
    by, label, because = _settle(opinions, readers)
    if len(pictures) > 1:
        by, label, because = None, None, "two pictures were served under its id"
    return JudgedCase(
        case_id=case_id,
        opinions=opinions,
        predicted=max((one.predicted for one in opinions), key=lambda one: one.at),
        pixels_sha256=pictures.pop() if len(pictures) == 1 else None,
        label=label,
        settled_by=by,
        open_because=because,
    )


def _settle(opinions: tuple[Opinion, ...], readers: int) -> tuple[str | None, str | None, str]:
    adjudicated = [one for one in opinions if one.role == ADJUDICATOR]
    counting, by = (adjudicated, "adjudicator") if adjudicated else (list(opinions), "readers")
    labels = {one.label for one in counting}
    if len(labels) > 1:
        return None, None, f"{'adjudicators' if adjudicated else 'readers'} disagree"
    if UNSURE in labels:
        return None, None, f"{'the adjudicator' if adjudicated else 'whoever read it'} is unsure"
    if not adjudicated and len(counting) < readers:
        return None, None, f"read by {len(counting)} of {readers}"
    return by, labels.pop(), ""
