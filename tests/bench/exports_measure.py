"""What becomes of a model in other runtimes: size, speed, AUC, and how often both call alike."""

import io
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image
from scipy.stats import rankdata

from components.baselines.case_set import load_case_set
from components.baselines.export_scores import ARTEFACT, load_export_scores
from components.baselines.scores import CaseScores, load_scores
from components.exports.running import ask
from components.records.export import EXPORTS, KINDS, TFLITE_FLOAT, TFLITE_INT8
from components.records.run_files import SCORES
from pipeline.settings.config import REPOSITORY
from tests.bench.figures import Setting
from tests.bench.page import machine_lines, table
from tests.bench.processes import casegate, run_fresh
from tests.conftest import BESIDE_THE_CHECKOUT

TEMPLATE = Path(__file__).with_name("exports.md.template")
SMALLER, FASTER, APART = 0.27, 2.0, 0.005  # of the float file; times; in AUC
ALIKE = {"tflite": 0.995}
ALIKE_ELSEWHERE = 0.998
TURNS, PICTURES = 5, 40
# Ends either way: a verdict is no part of this.
VERDICTS = (0, 1, 3)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Trial:
    """A run that exports its model.

    Attributes:
      baseline: the folder of its locked cases, below `baselines/`.
      settings: as `--set` takes them.
    """

    name: str
    data: str
    baseline: str
    settings: tuple[str, ...] = ()


LITE0 = ("model.network=efficientnet_lite0", "model.image_size=112", "model.head_epochs=6")
TRIALS = (
    Trial("PneumoniaMNIST, small, 28", "pneumoniamnist.npz", "pneumoniamnist"),
    Trial(
        "PneumoniaMNIST, EfficientNet-Lite0, 112",
        "pneumoniamnist.npz",
        "pneumoniamnist",
        (*LITE0, "model.epochs=1"),
    ),
    Trial(
        "Kermany, small, 224",
        "chest_xray_224",
        "kermany",
        (
            *("data.tune_from_train=0.1", "case_set.baseline=kermany", "model.image_size=224"),
            *("model.epochs=3", "signing.unsigned=true"),
        ),
    ),
)
QUICK_TRIALS = (Trial("phantom", "phantom:n=400", "phantom", ("signing.unsigned=true",)),)


@dataclass(frozen=True)
class ExportFigure:
    """One artefact in one runtime.

    Attributes:
      auc, model_auc: on the locked cases.
      alike: cases of n that it calls as the model does, each at its own operating point.
      apart: largest difference in probability.
      call_ms: a call with one prepared picture on one thread: the lowest median of TURNS.
      memory_mib: peak, of the process that scored.
    """

    trial: str
    kind: str
    runtime: str
    size_bytes: int
    n: int
    alike: int
    apart: float
    auc: float
    model_auc: float
    call_ms: float
    memory_mib: float


def measured_exports(
    trials: Sequence[Trial], kinds: Sequence[str], say: Say
) -> tuple[ExportFigure, ...]:
    """The figures, of one run each."""
    found: list[ExportFigure] = []
    data = Path(os.environ.get("CASEGATE_TEST_DATA") or BESIDE_THE_CHECKOUT)
    for trial in trials:
        with tempfile.TemporaryDirectory(prefix="casegate-bench-") as name:
            say(f"{trial.name} ...")
            source = trial.data if ":" in trial.data else str(data / trial.data)
            settings = [f"exports=[{','.join(kinds)}]", *trial.settings]
            words = [word for setting in settings for word in ("--set", setting)]
            command = casegate("run", "--data", source, "--workspace", name, *words)
            run_fresh(command, allowed=VERDICTS)
            (run_folder,) = (path.parent for path in Path(name).glob(f"runs/*/{SCORES}"))
            found += figures_of(trial, run_folder)
    return tuple(found)


def figures_of(trial: Trial, run_folder: Path) -> list[ExportFigure]:
    """Of what a run left behind."""
    case_set = load_case_set(REPOSITORY / "baselines" / trial.baseline / "case_set.json")
    labels = {case.case_id: case.label for case in case_set.cases}
    model = load_scores(run_folder / SCORES)
    every = {
        kind: load_export_scores(run_folder / EXPORTS / kind, kind)
        for kind in KINDS
        if (run_folder / EXPORTS / kind).exists()
    }
    asked = [(kind, runtime) for kind, export in every.items() for runtime in export.scores]
    calls = _calls(run_folder, asked)
    found = []
    for kind, runtime in asked:
        scores, measured = every[kind].scores[runtime], every[kind].measured
        assert scores.case_ids == model.case_ids and measured.size_bytes
        ours = scores.scores >= scores.operating_point
        found.append(
            ExportFigure(
                trial=trial.name,
                kind=kind,
                runtime=runtime,
                size_bytes=measured.size_bytes,
                n=len(ours),
                alike=int((ours == (model.scores >= model.operating_point)).sum()),
                apart=float(np.abs(scores.scores - model.scores).max()),
                auc=_auc(scores, labels),
                model_auc=_auc(model, labels),
                call_ms=calls[kind, runtime],
                memory_mib=measured.peak_memory_bytes[runtime] / 2**20,
            )
        )
    return found


def _calls(run_folder: Path, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """Milliseconds, in turns, since the machine is not always as fast."""
    rng, pictures = np.random.default_rng(0), []
    for _ in range(PICTURES):
        stream = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (64, 64), np.uint8)).save(stream, "PNG")
        pictures.append(stream.getvalue())
    times: dict[tuple[str, str], list[float]] = {each: [] for each in asked}
    for _ in range(TURNS):
        for kind, runtime in asked:
            folder = run_folder / EXPORTS / kind / ARTEFACT
            times[kind, runtime].append(ask(folder, runtime, pictures).latency_ms["median"])
    return {each: min(found) for each, found in times.items()}


def _auc(scores: CaseScores, labels: Mapping[str, int]) -> float:
    ill = np.array([labels[case_id] == 1 for case_id in scores.case_ids])
    ranks, positives = rankdata(scores.scores), int(ill.sum())
    above = ranks[ill].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(ill) - positives)))


def section(found: Sequence[ExportFigure], setting: Setting) -> str:
    """The section, its heading included."""
    floats = {one.trial: one for one in found if one.kind == TFLITE_FLOAT}
    rows = []
    for one in found:
        beside = floats.get(one.trial)
        share, least = one.alike / one.n, ALIKE.get(one.runtime, ALIKE_ELSEWHERE)
        rows.append(
            [
                one.trial,
                f"`{one.kind}`",
                one.runtime,
                f"{one.size_bytes / 1000:,.0f}",
                f"{one.call_ms:.3f}",
                f"{one.memory_mib:,.0f}",
                f"{one.auc:.4f} ({one.auc - one.model_auc:+.4f})",
                f"{one.alike} of {one.n}",
                f"{one.apart:.4f}",
                _missed(one, beside, share >= least),
            ]
        )
    heads = ["trial", "form", "runtime", "kB", "ms", "MiB", "AUC", "alike", "apart", "missed"]
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        setting=machine_lines(setting),
        rows=table(heads, rows, texts=3),
        smaller=f"{SMALLER:g}",
        faster=f"{FASTER:g}",
        apart=f"{APART:g}",
        alike=f"{ALIKE['tflite']:.1%}",
        elsewhere=f"{ALIKE_ELSEWHERE:.1%}",
        turns=TURNS,
    )


def _missed(one: ExportFigure, beside: ExportFigure | None, alike: bool) -> str:
    """Which of the targets it misses; only whole numbers are to be smaller and faster."""
    missed = [] if alike else ["alike"]
    missed += ["AUC"] if abs(one.auc - one.model_auc) > APART else []
    if beside and one.kind == TFLITE_INT8:
        size = one.size_bytes / beside.size_bytes
        speed = beside.call_ms / one.call_ms
        missed += [f"size {size:.2f}"] if size > SMALLER else []
        missed += [f"speed {speed:.1f} x"] if speed < FASTER else []
    return f"**{', '.join(missed)}**" if missed else "none"
