"""The configuration: the settings of `sections`, which pydantic fills from YAML and checks.

pydantic takes longer to import than `casegate --help` takes in all, so it is imported where a file
is read.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from components.records.errors import ConfigError, suggestion
from components.records.yaml_lines import read_yaml

if TYPE_CHECKING:
    from pydantic import TypeAdapter
from pipeline.settings.federation import SiteConfig, SiteVerdictsConfig
from pipeline.settings.sections import (
    AE_TITLE,
    CODE,
    FOLDER_NAME,
    PEER,
    WEB_ADDRESS,
    BeamConfig,
    CaseSetConfig,
    CiConfig,
    DataConfig,
    Export,
    FeedbackConfig,
    ModelConfig,
    MonitoringConfig,
    NotifyConfig,
    RetentionConfig,
    RetrainingConfig,
    ScheduleConfig,
    Section,
    ServerConfig,
    ServingConfig,
    SigningConfig,
    Text,
)
from pipeline.settings.training import TrainingConfig

_Settings = TypeVar("_Settings", bound=Section)
REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGS = Path(__file__).resolve().parent / "configs"
# Sections of what happens around a run; nothing in them changes what a run computes.
AROUND = (
    *("beam", "retraining", "retention", "schedule", "notify", "monitoring", "feedback", "ci"),
    *("server", "site", "site_verdicts"),
)


@dataclass(frozen=True)
class Config(Section):
    """Settings of casegate: the file given with --config, all of it optional."""

    owner: Text = "unnamed"
    """Who answers for the model; goes into the release record."""
    metadata: Text | None = None
    """Where ML Metadata is kept, such as postgresql://user@host:5432/db, without the password;
    null takes a SQLite file in the workspace."""
    data: DataConfig = field(default_factory=DataConfig)
    case_set: CaseSetConfig = field(default_factory=CaseSetConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    site: SiteConfig = field(default_factory=SiteConfig)
    site_verdicts: SiteVerdictsConfig = field(default_factory=SiteVerdictsConfig)
    exports: tuple[Export, ...] = ()
    """Forms of the model for where there is no server, each of which is judged as the model is."""
    serving: ServingConfig = field(default_factory=ServingConfig)
    server: ServerConfig = field(default_factory=ServerConfig)
    signing: SigningConfig = field(default_factory=SigningConfig)
    beam: BeamConfig = field(default_factory=BeamConfig)
    retraining: RetrainingConfig = field(default_factory=RetrainingConfig)
    retention: RetentionConfig = field(default_factory=RetentionConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    notify: NotifyConfig = field(default_factory=NotifyConfig)
    monitoring: MonitoringConfig = field(default_factory=MonitoringConfig)
    feedback: FeedbackConfig = field(default_factory=FeedbackConfig)
    ci: CiConfig = field(default_factory=CiConfig)

    def __post_init__(self) -> None:
        if len(set(self.exports)) < len(self.exports):
            raise ValueError(f"exports: got {list(self.exports)}, wanted each form once")

    def sha256(self) -> str:
        """Hash of every setting, whatever file or flag it came from."""
        return _sha256(dataclasses.asdict(self))

    def deciding_sha256(self) -> str:
        """Hash of the settings that can change a verdict: none of those around a run."""
        settings = dataclasses.asdict(self) | {"training": self.training.deciding()}
        return _sha256({name: part for name, part in settings.items() if name not in AROUND})


def _sha256(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def load_config(path: Path | None, settings: Sequence[str] = ()) -> Config:
    """The configuration of a YAML file (or the defaults), with `section.key=value` overrides.

    Raises:
      ConfigError: unreadable file, unknown key, or a value of the wrong type or range.
    """
    tree = _read(path) if path is not None else {}
    for setting in settings:
        _override(tree, setting)
    return _checked(Config, tree, str(path or "--set"))


def read_settings(kind: type[_Settings], path: Path) -> _Settings:
    """The settings of another kind in a YAML file, each of which has a default.

    Raises:
      ConfigError: as `load_config`.
    """
    return _checked(kind, _read(path), str(path))


def _checked(kind: type[_Settings], tree: dict[str, Any], where: str) -> _Settings:
    if not tree:
        return kind()  # spares the import of pydantic where nobody set anything
    from pydantic import ValidationError

    wanted: Any = kind
    try:
        return checker(wanted).validate_python(tree)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_fault(error.errors()[0], kind())}") from None


@functools.cache
def checker(kind: Any) -> "TypeAdapter[Any]":
    """What pydantic makes of a dataclass: it checks settings, and has their schema."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    loaded = read_yaml(path, content, error=ConfigError).data
    if loaded is not None and not isinstance(loaded, dict):
        raise ConfigError(f"{path}: got {type(loaded).__name__}, wanted keys with values")
    return loaded or {}


def _override(tree: dict[str, Any], setting: str) -> None:
    dotted, equals, text = setting.partition("=")
    if not equals or not dotted:
        raise ConfigError(f"--set {setting}: wanted section.key=value, e.g. model.epochs=3")
    value = read_yaml(f"--set {setting}", text, error=ConfigError).data
    *sections, key = dotted.split(".")
    place = tree
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise ConfigError(f"--set {setting}: '{section}' has no keys of its own")
    place[key] = value


# By pydantic's name of the fault, or by the pattern that a text does not fit.
_WANTED = {
    "bool_type": "true or false",
    "dataclass_type": "keys with values",
    "dict_type": "keys with values",
    "float_type": "a number",
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "int_type": "a whole number",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "string_type": "text",
    "too_long": "at most {max_length} of them",
    "too_short": "at least {min_length}",
    "tuple_type": "a list",
    FOLDER_NAME: "a plain folder name",
    CODE: "CODE SCHEME MEANING",
    PEER: "AE_TITLE@HOST:PORT",
    AE_TITLE: "1 to 16 characters of ASCII, none of them a backslash",
    WEB_ADDRESS: "an http:// or https:// address",
}


def _fault(error: Mapping[str, Any], defaults: Section) -> str:
    """What pydantic found, in the words of every other error: where, got, wanted."""
    path, context = error["loc"], error.get("ctx", {})
    if path[-1:] == ("[key]",):
        path = path[:-2]
        error = {**error, "type": "key", "msg": "words as keys: put it in quotes"}
    name = ".".join(map(str, path))
    if error["type"] in ("unexpected_keyword_argument", "invalid_key"):
        section: Any = functools.reduce(getattr, path[:-1], defaults)
        known = [each.name for each in dataclasses.fields(section)]
        return f"unknown key '{name}'{suggestion(str(path[-1]), known)}"
    if error["type"] == "value_error":  # of a __post_init__
        return f"{name}.{context['error']}".removeprefix(".")
    wanted = _WANTED.get(context.get("pattern", error["type"]), error["msg"]).format(**context)
    keys = [key for key in path if isinstance(key, str)]
    null = " or null" if functools.reduce(_setting, keys, defaults) is None else ""
    return f"{name}: got {error['input']!r}, wanted {wanted}{null}"


def _setting(section: Any, key: str) -> Any:
    """The default of a key of a section; "" for one of a setting that has keys of its own."""
    return getattr(section, key, "")


def shipped_config(source: str | None) -> Path | None:
    """The configuration shipped for a data source of this name, e.g. `pneumoniamnist.npz`."""
    if source is None:
        return None
    kind, _, rest = source.partition(":")
    if kind not in ("phantom", "medmnist") and Path(source).suffix.lower() != ".npz":
        return None  # a folder may bear any name
    name = rest if kind == "medmnist" else kind
    path = CONFIGS / f"{Path(name).stem}.yaml"
    return path if path.exists() and path != CONFIGS / "first_run_policy.yaml" else None
