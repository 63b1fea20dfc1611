"""The configuration: YAML at the edge, frozen dataclasses inside, unknown keys rejected."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from components.records.errors import ConfigError, suggestion
from pipeline.settings.operations import (
    CiConfig,
    FeedbackConfig,
    MonitoringConfig,
    NotifyConfig,
    RetentionConfig,
    RetrainingConfig,
    ScheduleConfig,
    ci_rules,
    feedback_rules,
    monitoring_rules,
    notify_rules,
    retention_rules,
    retraining_rules,
)

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGS = Path(__file__).resolve().parent / "configs"
WINDOWS = ("expanding", "rolling")
DRIFTS = ("stop", "report")


@dataclass(frozen=True)
class DataConfig:
    """Attributes:
    source: where training and tuning cases come from; with `{SPAN}` or `{SPAN:4}` in a path, the
      spans that are there, in the order of their numbers.
    window: which spans are trained on: expanding, all of them; rolling, the newest.
    window_spans: how many the rolling window holds.
    drift: what a shift against the last span or the released model's data does: stop, nothing is
      trained; report, it is written down and the gate decides.
    skip_bad_cases: how many unusable cases are tolerated, and listed, before the run stops.
    """

    source: str = "phantom"
    window: str = "expanding"
    window_spans: int = 4
    drift: str = "stop"
    skip_bad_cases: int = 0


@dataclass(frozen=True)
class CaseSetConfig:
    """Attributes:
    source: where the case set's images come from; null takes the test split of the data.
    baseline: which folder of the baselines judges; null takes the source's own name.
    directory: the folder that holds baselines; null takes the one shipped here.
    """

    source: str | None = None
    baseline: str | None = None
    directory: str | None = None


@dataclass(frozen=True)
class ModelConfig:
    """Attributes:
    image_size: side of the network's input, in pixels.
    filters: channels of each strided convolution.
    target_sensitivity: what the operating point aims at on the tuning split, in (0, 1).
    patience: epochs without a better tuning AUC before training stops. The learning rate falls to
      nothing over all epochs: models that are stopped before lie further apart.
    """

    image_size: int = 64
    filters: tuple[int, ...] = (8, 16, 32, 64)
    dropout: float = 0.2
    learning_rate: float = 0.003
    batch_size: int = 64
    epochs: int = 20
    patience: int = 20
    augment: bool = True
    target_sensitivity: float = 0.95
    seed: int = 20


@dataclass(frozen=True)
class ServingConfig:
    """Attributes:
    model_name: the folder that TensorFlow Serving serves under this name.
    directory: where releases go; null takes `serving/` in the workspace.
    release: whether a candidate that passes is released; a check of a commit releases nothing.
    """

    model_name: str = "pneumonia"
    directory: str | None = None
    release: bool = True


@dataclass(frozen=True)
class SigningConfig:
    """Attributes:
    unsigned: whether a release that nobody signed is allowed; it is marked as such for ever.
    keys: folder of the public keys that count, `NAME.pub.pem`; null takes `keys/` beside the
      policy that judges.
    threshold: how many of these keys have to have signed.
    """

    unsigned: bool = False
    keys: str | None = None
    threshold: int = 1


@dataclass(frozen=True)
class BeamConfig:
    """Attributes:
    pipeline_args: passed to Beam unchanged, e.g. ["--runner=FlinkRunner", ...].
    """

    pipeline_args: tuple[str, ...] = ()


@dataclass(frozen=True)
class Config:
    """Attributes:
    owner: who answers for the model.
    metadata: where ML Metadata is kept, such as postgresql://user@host:5432/db, without the
      password; null takes a SQLite file in the workspace.
    """

    owner: str = "unnamed"
    metadata: str | None = None
    data: DataConfig = field(default_factory=DataConfig)
    case_set: CaseSetConfig = field(default_factory=CaseSetConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    serving: ServingConfig = field(default_factory=ServingConfig)
    signing: SigningConfig = field(default_factory=SigningConfig)
    beam: BeamConfig = field(default_factory=BeamConfig)
    retraining: RetrainingConfig = field(default_factory=RetrainingConfig)
    retention: RetentionConfig = field(default_factory=RetentionConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    notify: NotifyConfig = field(default_factory=NotifyConfig)
    monitoring: MonitoringConfig = field(default_factory=MonitoringConfig)
    feedback: FeedbackConfig = field(default_factory=FeedbackConfig)
    ci: CiConfig = field(default_factory=CiConfig)

    def sha256(self) -> str:
        """Hash of every setting, whatever file or flag it came from."""
        return _sha256(dataclasses.asdict(self))

    def deciding_sha256(self) -> str:
        """Hash of the settings that can change a verdict: none of those around a run."""
        settings = dataclasses.asdict(self)
        return _sha256({name: part for name, part in settings.items() if name not in AROUND})


# Sections of pipeline/settings/operations.py.
AROUND = ("retraining", "retention", "schedule", "notify", "monitoring", "feedback", "ci")


def _sha256(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def load_config(path: Path | None, settings: Sequence[str] = ()) -> Config:
    """The configuration of a YAML file (or the defaults), with `section.key=value` overrides.

    Raises:
      ConfigError: unreadable file, unknown key, or a value of the wrong type or range.
    """
    tree: dict[str, Any] = {}
    if path is not None:
        try:
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:  # 2001-99-99; [[[[...
            where = getattr(error, "problem_mark", None)
            line = f":{where.line + 1}" if where else ""
            problem = getattr(error, "problem", None) or "not YAML"
            raise ConfigError(f"{path}{line}: not valid YAML: {problem}") from None
        if loaded is not None and not isinstance(loaded, dict):
            raise ConfigError(f"{path}: got {type(loaded).__name__}, wanted keys with values")
        tree = loaded or {}
    for setting in settings:
        _override(tree, setting)
    config = _build(Config, tree, str(path or "--set"), "")
    _check_ranges(config, str(path or "--set"))
    return config


def _override(tree: dict[str, Any], setting: str) -> None:
    dotted, equals, text = setting.partition("=")
    if not equals or not dotted:
        raise ConfigError(f"--set {setting}: wanted section.key=value, e.g. model.epochs=3")
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(f"--set {setting}: the value is not valid YAML") from None
    *sections, key = dotted.split(".")
    place = tree
    for section in sections:
        inner = place.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {setting}: '{section}' has no keys of its own")
        place = inner
    place[key] = value


def _build(kind: type, tree: Mapping[str, Any], where: str, prefix: str) -> Any:
    """An instance of the dataclass `kind` from a mapping, checked key by key."""
    hints = get_type_hints(kind)
    values = {}
    for key, value in tree.items():
        if key not in hints:
            raise ConfigError(f"{where}: unknown key '{prefix}{key}'{suggestion(str(key), hints)}")
        name = f"{prefix}{key}"
        if dataclasses.is_dataclass(hints[key]):
            if not isinstance(value, Mapping):
                raise ConfigError(f"{where}: {name}: got {value!r}, wanted keys with values")
            values[key] = _build(hints[key], value, where, f"{name}.")
        else:
            values[key] = _coerced(value, hints[key], where, name)
    return kind(**values)


def _coerced(value: Any, hint: Any, where: str, name: str) -> Any:
    wanted = {
        int: "a whole number",
        float: "a number",
        str: "text",
        bool: "true or false",
        str | None: "text or null",
        float | None: "a number or null",
        tuple[int, ...]: "a list of whole numbers",
        tuple[str, ...]: "a list of texts",
    }[hint]
    if hint in (int, float, float | None) and isinstance(value, bool):
        pass
    elif hint in (float, float | None) and isinstance(value, int | float):
        return float(value)
    elif hint == (float | None) and value is None:
        return None
    elif (hint in (int, str, bool) and isinstance(value, hint)) or (
        hint == (str | None) and (value is None or isinstance(value, str))
    ):
        return value
    elif isinstance(value, list | tuple) and hint in (tuple[int, ...], tuple[str, ...]):
        inner = int if hint == tuple[int, ...] else str
        if all(isinstance(item, inner) and not isinstance(item, bool) for item in value):
            return tuple(value)
    raise ConfigError(f"{where}: {name}: got {value!r}, wanted {wanted}")


def _check_ranges(config: Config, where: str) -> None:
    model = config.model
    rules = [
        ("model.image_size", model.image_size, 16 <= model.image_size <= 1024, "16 to 1024"),
        (
            "model.filters",
            list(model.filters),
            _usable(model),
            "1 to 6 positive numbers, "
            "and an image of at least 2 pixels after halving once for each",
        ),
        ("model.dropout", model.dropout, 0 <= model.dropout < 1, "at least 0 and below 1"),
        ("model.learning_rate", model.learning_rate, 0 < model.learning_rate < 1, "0 to 1"),
        ("model.batch_size", model.batch_size, 1 <= model.batch_size <= 4096, "1 to 4096"),
        ("model.epochs", model.epochs, 1 <= model.epochs <= 10000, "1 to 10000"),
        ("model.patience", model.patience, model.patience >= 1, "at least 1"),
        ("model.seed", model.seed, 0 <= model.seed < 2**31, "0 to 2147483647"),
        (
            "model.target_sensitivity",
            model.target_sensitivity,
            0 < model.target_sensitivity < 1,
            "between 0 and 1",
        ),
        (
            "data.skip_bad_cases",
            config.data.skip_bad_cases,
            config.data.skip_bad_cases >= 0,
            "at least 0",
        ),
        (
            "signing.threshold",
            config.signing.threshold,
            config.signing.threshold >= 1,
            "at least 1",
        ),
        (
            "serving.model_name",
            config.serving.model_name,
            _is_folder_name(config.serving.model_name),
            "a plain folder name",
        ),
        (
            "case_set.baseline",
            config.case_set.baseline,
            config.case_set.baseline is None or _is_folder_name(config.case_set.baseline),
            "a plain folder name or null",
        ),
        ("data.window", config.data.window, config.data.window in WINDOWS, " or ".join(WINDOWS)),
        (
            "data.window_spans",
            config.data.window_spans,
            config.data.window_spans >= 1,
            "at least 1",
        ),
        ("data.drift", config.data.drift, config.data.drift in DRIFTS, " or ".join(DRIFTS)),
        *retraining_rules(config.retraining),
        *retention_rules(config.retention),
        *notify_rules(config.notify),
        *monitoring_rules(config.monitoring),
        *feedback_rules(config.feedback),
        *ci_rules(config.ci),
    ]
    for name, got, holds, wanted in rules:
        if not holds:
            raise ConfigError(f"{where}: {name}: got {got!r}, wanted {wanted}")


def _usable(model: ModelConfig) -> bool:
    return (
        1 <= len(model.filters) <= 6
        and min(model.filters) >= 1
        and model.image_size >> len(model.filters) >= 2
    )


def _is_folder_name(text: str) -> bool:
    return bool(text) and text == Path(text).name and not text.startswith(".")


def shipped_config(source: str | None) -> Path | None:
    """The configuration shipped for a data source of this name, e.g. `pneumoniamnist.npz`."""
    if source is None:
        return None
    name = source.removeprefix("medmnist:").partition(":")[0]
    path = CONFIGS / f"{Path(name).stem}.yaml"
    return path if path.exists() and path != CONFIGS / "first_run_policy.yaml" else None
