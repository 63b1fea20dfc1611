"""Per-case scores of a SavedModel, as it answers where it is served."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from components.baselines.scores import CaseScores, OriginalsAgreement, Servability
from components.records.errors import Unservable
from components.records.files import sha256_tree
from components.records.run_files import RELEASE_RECORD
from components.scoring.served import EXPLAIN, ServedAnswer, ServedRequest, ask
from components.scoring.serving_session import NO_LABEL

BATCH = 256
# Cases that are also asked one by one: a few of each batch, until there are enough.
ALONE, ALONE_OF_BATCH = 32, 8
LATENCY_CALLS = 20
# Between two answers to one case, in probability: sums of float32 come out otherwise in batches of
# another size.
TOLERANCE = 1e-5
EXAMPLES, IMAGES = "serve_examples", "serving_default"
ORIGINALS = "originals"  # the source's own bytes, by `serving_default`
POINT = "operating_point/.ATTRIBUTES/VARIABLE_VALUE"


@dataclass(frozen=True)
class Scored:
    """Attributes:
    case_ids: in the order of the records.
    scores: float64 (n,); what the model said, NaN where it said NaN.
    operating_point: the threshold exported with the model.
    latency_ms: median and 95th percentile of a call with one image.
    served: how it answered where it is served.
    """

    case_ids: tuple[str, ...]
    scores: np.ndarray
    operating_point: float
    latency_ms: dict[str, float]
    served: Servability

    def of_model(self, model_path: Path, case_set_root: str) -> CaseScores:
        """The scores as a file keeps them: with whose they are, and of which case set."""
        return CaseScores(
            case_ids=self.case_ids,
            scores=self.scores,
            operating_point=self.operating_point,
            model_sha256=sha256_tree(model_path),
            scored_case_set=case_set_root,
            latency_ms=self.latency_ms,
            step_ms=_step_ms(model_path),
            privacy=_privacy(model_path),
            served=self.served,
        )


def _recorded(model: Path, key: str) -> Any:
    """What the model's record says of its training; whoever trained it elsewhere says nothing."""
    try:
        return json.loads((model / RELEASE_RECORD).read_bytes())[key]
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _privacy(model: Path) -> dict[str, Any]:
    said = _recorded(model, "privacy")
    return said if isinstance(said, dict) else {}


def _step_ms(model: Path) -> dict[str, float]:
    said = _recorded(model, "step_ms")
    try:
        return {name: ms for name, ms in said.items() if 0 <= ms < math.inf}
    except (TypeError, AttributeError):
        return {}


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model answered to some of the cases.

    Attributes:
      ids: n, in the order of the records.
      rows: int64, which of them were asked one by one, in the order of their first round.
      others: int64, which of them were also asked with the source's own bytes, in order.
      outputs: probabilities (float32) and labels (int64), each (n,) or as long as what was asked
        one by one or with other bytes; by signature, and whether each case was asked alone.
      latency_ms: as in `Scored`.
      loader: what loaded the model, with TensorFlow's version; None where nothing was asked.
    """

    ids: tuple[str, ...]
    rows: np.ndarray
    others: np.ndarray
    outputs: dict[tuple[str, bool], tuple[np.ndarray, np.ndarray]]
    latency_ms: dict[str, float]
    loader: str | None


Asked = Callable[[], Sequence[Answers]]


def score_model(
    model_path: Path, records: Sequence[str], *, check: bool = True, asked: Asked | None = None
) -> Scored:
    """Scores every record with the model's `serve_examples`, in the loader that serves it.

    A model that cannot be served is scored by Python's loader, and `served` says why it cannot.

    Args:
      model_path: the SavedModel's folder.
      records: gzipped TFRecord files of serialized Examples with `case_id` and `image`.
      check: whether to hold `serving_default` and calls with one image against the scores, and to
        measure how long such a call takes.
      asked: gets the answers to the records, in parts; without it they are asked for here.

    Raises:
      Unservable: Python's loader cannot run it either.
    """
    try:
        parts = asked() if asked else [ask_model(model_path, records, check=check, alone=True)]
        return _judged(model_path, parts)
    except Unservable as error:
        return _by_python(model_path, records, fault=str(error).removeprefix(f"{model_path}: "))


def ask_model(model_path: Path, records: Sequence[str], *, check: bool, alone: bool) -> Answers:
    """Asks the model in the loader that serves it, for every record.

    Args:
      check: whether to ask by `serving_default`, too.
      alone: whether to ask some of the first cases one by one, if `check`.

    Raises:
      Unservable: the model cannot be loaded there, or does not answer.
    """
    ids: list[str] = []
    single: list[tuple[int, bytes, bytes]] = []  # row, Example, image
    others: list[int] = []

    def requests() -> Iterator[ServedRequest]:
        for names, examples, images, originals in read_batches(records):
            if check and alone and len(single) < ALONE:
                picked = range(0, len(names), max(1, len(names) // ALONE_OF_BATCH))
                single.extend((len(ids) + i, examples[i], images[i]) for i in picked)
            other = [i for i, original in enumerate(originals) if original]
            others.extend(len(ids) + i for i in other)
            ids.extend(names)
            yield ServedRequest(EXAMPLES, examples)
            if check:
                yield ServedRequest(IMAGES, images)
            if check and other:
                yield ServedRequest(IMAGES, [originals[i] for i in other], spared=True)
        for _, example, image in single * -(-LATENCY_CALLS // max(1, len(single))):
            yield ServedRequest(EXAMPLES, [example], alone=True)
            yield ServedRequest(IMAGES, [image], alone=True)
        for _, _, image in single:
            yield ServedRequest(EXPLAIN, [image], alone=True)

    answered: dict[tuple[str, bool], list[ServedAnswer]] = {}
    for request, answer in ask(model_path, requests()):
        way = ORIGINALS if request.spared else request.signature
        answered.setdefault((way, request.alone), []).append(answer)
    return Answers(
        ids=tuple(ids),
        rows=np.array([row for row, _, _ in single], np.int64),
        others=np.array(others, np.int64),
        outputs={way: _joined(answers) for way, answers in answered.items()},
        latency_ms=_latency(answered.get((IMAGES, True), [])),
        loader=next((answers[0].loader for answers in answered.values()), None),
    )


def _judged(model_path: Path, parts: Sequence[Answers]) -> Scored:
    """The scores that all parts come to, in their order; the first has what was asked alone."""
    first, ids = parts[0], tuple(case_id for part in parts for case_id in part.ids)
    outputs = {
        way: _concatenated([part.outputs[way] for part in parts if way in part.outputs])
        for way in {way: None for part in parts for way in part.outputs}
    }
    starts = np.cumsum([0, *(len(part.ids) for part in parts)])
    others = np.concatenate([part.others + start for part, start in zip(parts, starts)])
    point = operating_point_of(model_path)
    asked = outputs.pop((ORIGINALS, False), None)
    scores = outputs[EXAMPLES, False][0] if ids else np.zeros(0, np.float32)
    fault, largest = _contradiction(ids, scores, first.rows, np.float32(point), outputs)
    return Scored(
        case_ids=ids,
        scores=scores.astype(np.float64),
        operating_point=point,
        latency_ms=first.latency_ms,
        served=Servability(
            fault=fault,
            loader=first.loader,
            cases=len(ids),
            alone=len(first.rows),
            largest_difference=largest,
            # Where there is nothing else to ask with, a model that was not asked agrees, too.
            agreement=_agreement(ids, scores, others, asked, np.float32(point))
            if (IMAGES, False) in outputs
            else None,
        ),
    )


def _by_python(model_path: Path, records: Sequence[str], *, fault: str) -> Scored:
    ids: list[str] = []
    scores: list[np.ndarray] = [np.zeros(0, np.float32)]
    try:
        model = tf.saved_model.load(str(model_path))
        serve, point = model.signatures[EXAMPLES], float(model.operating_point.numpy())
        for names, examples, _, _ in read_batches(records):
            ids += names
            scores.append(serve(examples=tf.constant(examples))["probability"].numpy())
    # A stranger's model may fail in any way that TensorFlow has.
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise Unservable(f"{model_path}: {fault}; Python's loader: {reason}") from error
    return Scored(
        tuple(ids), np.concatenate(scores).astype(np.float64), point, {}, Servability(fault)
    )


def read_case_ids(records: Sequence[str]) -> list[str]:
    """In the order of the records."""
    return [case_id for ids, *_ in read_batches(records) for case_id in ids]


def read_batches(
    records: Sequence[str],
) -> Iterator[tuple[list[str], list[bytes], list[bytes], list[bytes]]]:
    """Case ids, serialized Examples, images and the source's own bytes of up to `BATCH` records.

    These bytes are empty where they are the image.

    No batch is of two files: so a case has the same neighbours, and the same score to the bit,
    whichever files are read in one go.
    """
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in ("case_id", "image")}
    spec["original"] = tf.io.FixedLenFeature([], tf.string, default_value="")
    files = tf.data.Dataset.from_tensor_slices(tf.constant(sorted(records), tf.string))
    dataset = files.flat_map(
        lambda file: tf.data.TFRecordDataset(file, compression_type="GZIP").batch(BATCH)
    )
    parsed = dataset.map(lambda batch: (batch, tf.io.parse_example(batch, spec)))
    for examples, features in parsed.prefetch(1).as_numpy_iterator():
        ids = [name.decode() for name in features["case_id"]]
        images, originals = features["image"].tolist(), features["original"].tolist()
        yield ids, examples.tolist(), images, originals


def operating_point_of(model_path: Path) -> float:
    """The threshold in the variables of a SavedModel; Raises Unservable where there is none."""
    try:
        return float(tf.train.load_variable(str(model_path / "variables" / "variables"), POINT))
    except (tf.errors.OpError, ValueError) as error:
        reason = " ".join(str(error).split())[:100]
        raise Unservable(f"{model_path}: no variable operating_point: {reason}") from None


def _joined(answers: Sequence[ServedAnswer]) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities and labels of all answers, each (n,)."""
    return _concatenated([(answer.probability, answer.label) for answer in answers])


def _concatenated(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    probabilities, labels = zip(*pairs, strict=True)
    return np.concatenate(probabilities), np.concatenate(labels)


def _contradiction(
    ids: Sequence[str],
    scores: np.ndarray,
    rows: np.ndarray,
    point: np.float32,
    outputs: Mapping[tuple[str, bool], tuple[np.ndarray, np.ndarray]],
) -> tuple[str | None, float]:
    """Where the model contradicts its scores or its operating point, and how far answers lie apart.

    Args:
      scores: float32 (n,), in the order of `ids`.
      rows: of the cases that were asked one by one, in the order of their first round.
      outputs: probabilities and labels, by signature and whether each case was asked alone.
    """
    fault, largest = None, 0.0
    for (signature, alone), (probability, label) in outputs.items():
        order = np.resize(rows, probability.size) if alone else np.arange(probability.size)
        how = f"{signature}{', one image at a time,' if alone else ''}"
        wanted = scores[order]
        apart = ~np.isclose(probability, wanted, rtol=0.0, atol=TOLERANCE, equal_nan=True)
        miscalled = label != (probability >= point)
        for wrong, got, want in (
            (apart, probability, wanted),
            (miscalled, label, (probability >= point).astype(int)),
        ):
            if fault is None and wrong.any():
                i = int(np.argmax(wrong))
                what = "probability" if wrong is apart else f"label at probability {probability[i]}"
                fault = (
                    f"{how} gives case {ids[order[i]]} the {what} {got[i]}, wanted {want[i]} "
                    f"({int(wrong.sum())} such answers)"
                )
        both = np.isfinite(probability) & np.isfinite(wanted)
        largest = max(largest, float(np.max(np.abs(probability - wanted)[both], initial=0.0)))
    return fault, largest


def _agreement(
    ids: Sequence[str],
    scores: np.ndarray,
    others: np.ndarray,
    asked: tuple[np.ndarray, np.ndarray] | None,
    point: np.float32,
) -> OriginalsAgreement:
    """How far the answers to other bytes lie from the scores.

    Args:
      scores: float32 (n,), in the order of `ids`.
      others: which cases were asked with other bytes, and `asked` the answers in that order.
    """
    if asked is None:
        return OriginalsAgreement()
    read = asked[1] != NO_LABEL
    probability, rows = asked[0][read], others[read]
    wanted = scores[rows]
    both = np.isfinite(probability) & np.isfinite(wanted)
    same = (probability == wanted) | (np.isnan(probability) & np.isnan(wanted))
    apart = np.where(both, np.abs(probability - wanted), np.where(same, 0.0, 1.0))
    worst = int(np.argmax(apart)) if apart.any() else None
    return OriginalsAgreement(
        originals=len(others),
        unreadable=int(np.count_nonzero(~read)),
        largest_difference=0.0 if worst is None else float(apart[worst]),
        case_id=None if worst is None else ids[rows[worst]],
        recalled=int(np.count_nonzero((probability >= point) != (wanted >= point))),
    )


def read_columns(records: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What the records say of each case beside its image, one at a time.

    Yields:
      `case_id`, `patient_id`, `label`; `numbers`, the quality features, and `words`, the
      attributes, both by name.
    """
    for record in tf.data.TFRecordDataset(sorted(records), compression_type="GZIP"):
        features = tf.train.Example.FromString(record.numpy()).features.feature
        words = {
            name: value.bytes_list.value[0].decode()
            for name, value in features.items()
            if value.HasField("bytes_list") and name not in ("image", "original")
        }
        yield {
            "case_id": words.pop("case_id"),
            "patient_id": words.pop("patient_id"),
            "label": features["label"].int64_list.value[0],
            "numbers": {
                name: value.float_list.value[0]
                for name, value in features.items()
                if value.HasField("float_list")
            },
            "words": words,
        }


def _latency(answers: Sequence[ServedAnswer]) -> dict[str, float]:
    times = [answer.milliseconds for answer in answers[1:]]  # the first call warms up
    if not times:
        return {}
    return {
        "median": round(float(np.median(times)), 3),
        "p95": round(float(np.percentile(times, 95)), 3),
    }
