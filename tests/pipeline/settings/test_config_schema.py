"""schemas/config.json, by which an editor completes settings, says what `load_config` takes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from components.records.errors import ConfigError
from pipeline.settings.config import CONFIGS, REPOSITORY, Config, load_config
from tests.schemas import CONFIG_SCHEMA, as_text, config_schema

VALIDATOR = Draft202012Validator(json.loads(CONFIG_SCHEMA.read_text("utf-8")))


def examples() -> Iterator[tuple[str, str]]:
    """What is shipped, and what the pages show."""
    for path in sorted(CONFIGS.glob("*.yaml")):
        if path.name != "first_run_policy.yaml":
            yield path.name, path.read_text("utf-8")
    for page in ("operator", "unattended", "data"):
        text = (REPOSITORY / "docs" / f"{page}.md").read_text("utf-8")
        for place, block in enumerate(re.findall(r"```yaml\n(.+?)```", text, re.S)):
            yield f"{page}.md-{place}", block


def test_the_file_is_what_the_dataclasses_say() -> None:
    assert CONFIG_SCHEMA.read_text("utf-8") == as_text(config_schema()), "run `make schemas`"


def test_the_schema_is_sound() -> None:
    Draft202012Validator.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize(("name", "text"), examples(), ids=lambda value: value.partition("\n")[0])
def test_an_example_fits_the_schema(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    load_config(path)
    VALIDATOR.validate(yaml.safe_load(text))


def test_every_setting_has_its_description_and_default() -> None:
    kinds = {"Config": VALIDATOR.schema, **VALIDATOR.schema["$defs"]}
    for name, kind in kinds.items():
        assert kind["description"], name
        for key, setting in kind["properties"].items():
            assert "$ref" in setting or {"default", "description", "title"} <= set(setting), key


@pytest.mark.parametrize(
    "settings",
    [
        {"modle": {}},
        {"model": {"epoch": 3}},
        {"model": 3},
        {"owner": None},
        {"model": {"epochs": "3"}},
        {"model": {"epochs": 0}},
        {"model": {"filters": []}},
        {"model": {"filters": [8, 0]}},
        {"model": {"dropout": 1}},
        {"model": {"seed": 2**31}},
        {"serving": {"model_name": "../chest"}},
        {"case_set": {"baseline": ".."}},
        {"data": {"window": "sliding"}},
        {"retraining": {"memory_gib": 0}},
        {"notify": {"about": ["rejoiced"]}},
        {"notify": {"webhook": {"url": "ftp://example.org"}}},
        {"notify": {"smtp": {"port": 65536}}},
        {"monitoring": {"alpha": 0.5}},
    ],
    ids=str,
)
def test_what_is_refused_does_not_fit_the_schema(settings: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    with pytest.raises(ConfigError):
        load_config(path)
    assert not VALIDATOR.is_valid(settings)


def test_the_defaults_fit_the_schema() -> None:
    VALIDATOR.validate(json.loads(json.dumps(vars(Config()), default=vars)))
