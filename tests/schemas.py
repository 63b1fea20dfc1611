"""`make schemas`: writes schemas/config.json, by which an editor completes and checks settings."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from pipeline.settings.config import REPOSITORY, Config
from pipeline.settings.sections import Section

CONFIG_SCHEMA = REPOSITORY / "schemas" / "config.json"


def config_schema() -> dict[str, Any]:
    """The JSON Schema of the configuration, as pydantic makes it of the dataclasses."""
    plain = Section.__pydantic_config__
    Section.__pydantic_config__ = {**plain, "use_attribute_docstrings": True}
    try:
        made = TypeAdapter(Config).json_schema()
    finally:
        Section.__pydantic_config__ = plain
    title = "Settings of casegate: the YAML file given with --config"
    return {"$schema": GenerateJsonSchema.schema_dialect, **made, "title": title}


def as_text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(path: Path = CONFIG_SCHEMA) -> None:
    path.write_text(as_text(config_schema()), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
