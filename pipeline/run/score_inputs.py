"""What a person gave as candidate, champion or golden, as scores that the gate can judge.

A score file carries no model, and often no operating point; the pipeline's own files carry both.
An operating point is part of a model: none is ever chosen here, and there is no default.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from components.baselines.golden import Approval, load_golden
from components.baselines.score_files import parse_point, read_score_file
from components.baselines.score_order import CaseOrder
from components.baselines.scores import CaseScores, load_scores
from components.records.errors import SourceError, UsageError, suggestion
from components.records.text import spell

MODELS = ("candidate", "champion", "golden")
SAVED_MODEL = "saved_model.pb"
TABLES = (".csv", ".parquet", ".pq")


@dataclass(frozen=True)
class Points:
    """Operating points as typed: one for every file that states none, and one by model."""

    every: float | None = None
    named: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, words: Iterable[str]) -> "Points":
        """From VALUE and NAME=VALUE; UsageError for anything else, and for one given twice."""
        found: dict[str, float] = {}
        for word in words:
            name, equals, text = word.rpartition("=")
            if equals and name not in MODELS:
                raise UsageError(
                    f"--operating-point {word}: unknown model '{name}'{suggestion(name, MODELS)}"
                )
            if name in found:
                raise UsageError(f"--operating-point {word}: stands twice; give one")
            if (point := parse_point(text)) is None:
                raise UsageError(f"--operating-point {word}: got '{text}', wanted a number")
            found[name] = point
        every = found.pop("", None)
        return cls(every, found)

    def of(self, name: str, stated: float | None, path: Path) -> float:
        """The operating point of a score file, which may state its own.

        Raises:
          UsageError: there is none, or the file and the command line contradict each other.
        """
        named = self.named.get(name)
        if stated is not None and named is not None and stated != named:
            raise UsageError(f"{path}: states operating point {stated}, the option says {named}")
        for point in (stated, named, self.every):
            if point is not None:
                return point
        raise UsageError(
            f"{path}: no operating point for the {name}; add a column operating_point or give "
            f"--operating-point {name}=VALUE: the one chosen on tuning data, never on these cases"
        )

    def refuse_unused(self, tables: Mapping[str, "GivenScores"]) -> None:
        """Raises UsageError for one that no file needs; `tables`: what was read, by model."""
        for name in self.named:
            if name not in tables or not tables[name].table:
                raise UsageError(
                    f"--operating-point {name}=...: the {name} is not a score file without its own"
                )
        if self.every is not None and all(given.stated for given in tables.values()):
            raise UsageError(
                f"--operating-point {self.every}: everything given has an operating point of its "
                "own; leave it out"
            )


@dataclass(frozen=True, eq=False)
class GivenScores:
    """Scores out of a file.

    Attributes:
      table: whether it was a score file, of whose model nobody saw the files.
      stated: whether the file carries its operating point.
      ignored: columns that mean nothing here.
      approval: who approved them, of a golden.json.
    """

    scores: CaseScores
    table: bool = False
    stated: bool = True
    ignored: tuple[str, ...] = ()
    approval: Approval | None = None


def is_file(path: Path) -> bool:
    """Whether there is one; not where nobody may look, or the name is too long to exist."""
    with suppress(OSError):
        return path.is_file()
    return False


def is_saved_model(path: Path) -> bool:
    """Whether a folder with a model was given, which has still to be scored.

    Raises:
      SourceError: a folder that holds none.
    """
    with suppress(OSError):
        if path.is_dir():
            if is_file(path / SAVED_MODEL):
                return True
            raise SourceError(
                f"{path}: no {SAVED_MODEL} in it; wanted the folder of one SavedModel"
            )
    return False


def read_given(name: str, path: Path, points: Points, order: CaseOrder) -> GivenScores:
    """The scores in a file: CSV, Parquet, or the pipeline's scores.json or golden.json.

    Raises:
      SourceError: none of these, or not readable.
      UsageError: no operating point.
      IntegrityError: labels differ from the case set's, or a file of the pipeline was edited.
    """
    if not is_file(path):
        raise SourceError(f"{path}: no such file; wanted the {name}'s scores or its SavedModel")
    if path.suffix.lower() == ".json":
        return _read_pipeline_file(path)
    if path.suffix.lower() not in TABLES:
        raise SourceError(
            f"{path}: wanted scores as .csv, .parquet or .json, or the folder of a SavedModel"
        )
    table = read_score_file(path)
    point = points.of(name, table.operating_point, path)
    stated = table.operating_point is not None or name in points.named
    scores = order.scores(table, point, where=str(path))
    return GivenScores(scores, table=True, stated=stated, ignored=table.ignored)


def _read_pipeline_file(path: Path) -> GivenScores:
    content = path.read_bytes()
    if b'"golden_sha256"' in content:
        golden = load_golden(path)
        return GivenScores(golden.scores, approval=golden.approval)
    if b'"scores_sha256"' not in content:
        raise SourceError(f"{path}: wanted a scores.json or golden.json of the pipeline")
    return GivenScores(load_scores(path))


def describe_findings(given: Mapping[str, GivenScores]) -> list[str]:
    """What the decision should say of where the scores came from; names no file."""
    unseen = [name for name, one in given.items() if one.table]
    found = []
    if unseen:
        found.append(
            f"scores given as files: {', '.join(unseen)}; nobody saw the models themselves, whose "
            "hashes are those of their scores"
        )
    if "golden" in given and given["golden"].approval is None:
        found.append("golden: no approval by name stands behind these scores")
    for name, one in given.items():
        if one.ignored:
            columns = ", ".join(f"'{spell(column)}'" for column in one.ignored)
            found.append(f"{name}: columns that were ignored: {columns}")
    return found
