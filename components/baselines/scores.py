"""One model's scores for the cases of a case set, exact to the last bit.

A failed model's NaN and infinities are kept, as null, "inf" and "-inf": the gate has to see them.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.baselines.case_set import CaseSet, refuse_duplicates
from components.records.errors import IntegrityError
from components.records.files import canonical_json, write_atomically
from components.records.rows import json_with_rows
from components.records.schema import Rows, read_json
from components.records.text import first_few

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class OriginalsAgreement:
    """How a model answered the bytes that a source has, where they are not the canonical picture.

    Attributes:
      originals: how many cases have such bytes.
      unreadable: how many of these TensorFlow cannot read.
      largest_difference: to the score of a case, in probability; 1 where one of the two is none.
      case_id: of that case; None where all answers are the same.
      recalled: how many cases are on the other side of the operating point.
    """

    originals: int = 0
    unreadable: int = 0
    largest_difference: float = 0.0
    case_id: str | None = None
    recalled: int = 0


@dataclass(frozen=True)
class Servability:
    """How a model answered in the loader that TensorFlow Serving uses.

    Attributes:
      fault: why it cannot be served, in one line; None where it can.
      loader: its name and TensorFlow's version; None where it never got to load the model.
      cases: how many were answered in batches by both signatures, and `alone` one by one.
      largest_difference: between two answers to one case, in probability; None where nobody asked.
      agreement: None where nobody asked, as before version 0.3.
    """

    fault: str | None
    loader: str | None = None
    cases: int = 0
    alone: int = 0
    largest_difference: float | None = None
    agreement: OriginalsAgreement | None = None


@dataclass(frozen=True)
class Attention:
    """Where the heat of a model's maps lies, on the cases that show a lesion at a known place.

    Attributes:
      shares: by case, in [0, 1]: the share of the heat that lies inside the lesion, None where the
        map is 0 all over; and the lesion's share of the area. None of a model that gives no map.
    """

    shares: Mapping[str, tuple[float | None, float]]


@dataclass(frozen=True, eq=False)
class CaseScores:
    """Scores in the order of `case_ids`.

    Attributes:
      scores: float64, shape (n_cases,); given as anything array-like.
      operating_point: a score at or above it is a positive call; fixed before these cases.
      model_sha256: hex, over the model's files.
      scored_case_set: Merkle root of the case set that was scored.
      latency_ms: named timings, None where not measured.
      step_ms: percentiles of a step of its training, `p95` among them; none where nobody says.
      privacy: what its record says of a promise of differential privacy; empty without one.
      served: None where nobody tried, as where only a file of scores was given.
      attention: None where nobody knows where the lesions are, or nobody asked.
    """

    case_ids: tuple[str, ...]
    scores: NDArray[np.float64]
    operating_point: float
    model_sha256: str
    scored_case_set: str
    latency_ms: dict[str, float] | None = None
    step_ms: Mapping[str, float] = field(default_factory=dict)
    privacy: Mapping[str, Any] = field(default_factory=dict)
    served: Servability | None = None
    attention: Attention | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "case_ids", tuple(self.case_ids))
        object.__setattr__(self, "scores", float64(self.scores))
        if self.scores.shape != (len(self.case_ids),):
            raise IntegrityError(
                f"scores: got shape {self.scores.shape} for {len(self.case_ids)} case ids, "
                "wanted one score per id"
            )

    @property
    def scores_sha256(self) -> str:
        """SHA-256 (hex) of what was scored and how, whatever the order of the cases.

        Over the canonical JSON of [ids in order, operating point, model, case set], then the
        scores in the order of the ids as little-endian float64.
        """
        order = sorted(range(len(self.case_ids)), key=self.case_ids.__getitem__)
        ids = [self.case_ids[i] for i in order]
        point = encode_score(self.operating_point)
        head = canonical_json([ids, point, self.model_sha256, self.scored_case_set])
        scores = self.scores[order].astype("<f8")
        scores[np.isnan(scores)] = np.nan  # NaN has many bit patterns, and JSON null one
        return hashlib.sha256(head + b"\n" + scores.tobytes()).hexdigest()


def float64(values: ArrayLike) -> NDArray[np.float64]:
    """`values` as float64; a float32 keeps its exact value."""
    return np.asarray(values, dtype=np.float64)


def encode_score(score: float) -> float | str | None:
    """A JSON value that reads back as the same float64."""
    value = float(score)
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


def decode_score(value: float | str | None) -> float:
    """The inverse of `encode_score`."""
    return math.nan if value is None else float(value)


def sound_row(row: Any) -> bool:
    """Whether a row is [case_id, score], as `scores_document` makes it."""
    return sound_finite_row(row) or (_is_named_pair(row) and row[1] in (None, "inf", "-inf"))


def sound_finite_row(row: Any) -> bool:
    """As `sound_row`, with a score that is a number."""
    return _is_named_pair(row) and type(row[1]) in (float, int)


def _is_named_pair(row: Any) -> bool:
    return type(row) is list and len(row) == 2 and type(row[0]) is str and row[0] != ""


def scores_document(scores: CaseScores) -> tuple[dict[str, Any], list[Sequence[Any]]]:
    """The header and the rows [case_id, score] of the JSON form, in the order of case_id."""
    header = {
        "schema_version": SCHEMA_VERSION,
        "model_sha256": scores.model_sha256,
        "scored_case_set": scores.scored_case_set,
        "operating_point": encode_score(scores.operating_point),
        "latency_ms": scores.latency_ms,
        "scores_sha256": scores.scores_sha256,
    }
    rows = [(name, encode_score(score)) for name, score in zip(scores.case_ids, scores.scores)]
    return header, sorted(rows, key=lambda row: row[0])


def scores_from_document(document: dict[str, Any], *, where: str) -> CaseScores:
    """The inverse of `scores_document`, checked against the document's own hash."""
    rows = document["scores"]
    scores = CaseScores(
        case_ids=tuple(row[0] for row in rows),
        scores=float64([decode_score(row[1]) for row in rows]),
        operating_point=decode_score(document["operating_point"]),
        model_sha256=document["model_sha256"],
        scored_case_set=document["scored_case_set"],
        latency_ms=document["latency_ms"],
    )
    if scores.scores_sha256 != document["scores_sha256"]:
        raise IntegrityError(
            f"{where}: the scores were edited: they hash to {scores.scores_sha256[:12]}..., the "
            f"file says {document['scores_sha256'][:12]}...; score the model again"
        )
    return scores


def save_scores(scores: CaseScores, path: Path) -> None:
    """Writes scores, one case per line, atomically."""
    header, rows = scores_document(scores)
    header["served"] = asdict(scores.served) if scores.served else None
    header |= {key: said for key in ("step_ms", "privacy") if (said := dict(getattr(scores, key)))}
    if scores.attention:
        header["attention"] = scores.attention.shares
    write_atomically(path, json_with_rows(header, "scores", rows))


def load_scores(path: Path) -> CaseScores:
    """The scores in `path`; IntegrityError where unreadable, malformed or edited."""
    document = read_json(path, "case_scores", rows=Rows("scores", sound_row))
    scores = scores_from_document(document, where=str(path))
    scores = replace(
        scores, step_ms=document.get("step_ms", {}), privacy=document.get("privacy", {})
    )
    if (shares := document.get("attention")) is not None:
        pairs = {case: (heat, area) for case, (heat, area) in shares.items()}
        scores = replace(scores, attention=Attention(pairs))
    served = document.get("served")
    if not served:
        return scores
    agreement = served.get("agreement")
    served["agreement"] = OriginalsAgreement(**agreement) if agreement else None
    return replace(scores, served=Servability(**served))


def aligned(scores: CaseScores, case_set: CaseSet, *, who: str = "scores") -> NDArray[np.float64]:
    """The scores in the order of the case set's cases, shape (n_cases,).

    Args:
      who: whose scores these are, for errors.

    Raises:
      IntegrityError: another case set was scored, or its cases are missing, additional or twice.
    """
    if scores.scored_case_set != case_set.merkle_root:
        raise IntegrityError(
            f"{who}: scored case set {scores.scored_case_set[:12]}..., wanted {case_set.name} "
            f"version {case_set.version} ({case_set.merkle_root[:12]}...); score that one"
        )
    wanted = [case.case_id for case in case_set.cases]
    if list(scores.case_ids) == wanted:
        return scores.scores
    refuse_duplicates(scores.case_ids, where=who)
    place = {case_id: i for i, case_id in enumerate(scores.case_ids)}
    missing = set(wanted) - place.keys()
    additional = place.keys() - set(wanted)
    if missing or additional:
        parts = {"missing": missing, "additional": additional}
        details = "; ".join(f"{what}: {first_few(ids)}" for what, ids in parts.items() if ids)
        raise IntegrityError(
            f"{who}: {details}; wanted exactly the {len(wanted)} cases of {case_set.name} "
            f"version {case_set.version}"
        )
    return scores.scores[[place[case_id] for case_id in wanted]]
