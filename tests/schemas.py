"""`make schemas`: writes schemas/config.json, by which an editor completes and checks settings."""

import json
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from pipeline.pacs.settings import PacsConfig
from pipeline.settings.config import REPOSITORY, Config
from pipeline.settings.sections import Section

CONFIG_SCHEMA = REPOSITORY / "schemas" / "config.json"
PACS_SCHEMA = REPOSITORY / "schemas" / "pacs.json"


def config_schema() -> dict[str, Any]:
    """The JSON Schema of the configuration, as pydantic makes it of the dataclasses."""
    return schema_of(Config, "Settings of casegate: the YAML file given with --config")


def pacs_schema() -> dict[str, Any]:
    """The JSON Schema of the settings of `casegate pacs`."""
    return schema_of(PacsConfig, "Settings of casegate pacs: the YAML file given with --config")


def schema_of(kind: type[Section], title: str) -> dict[str, Any]:
    plain = Section.__pydantic_config__
    Section.__pydantic_config__ = {**plain, "use_attribute_docstrings": True}
    try:
        made = TypeAdapter(kind).json_schema()
    finally:
        Section.__pydantic_config__ = plain
    return {"$schema": GenerateJsonSchema.schema_dialect, **made, "title": title}


def as_text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    for path, schema in ((CONFIG_SCHEMA, config_schema()), (PACS_SCHEMA, pacs_schema())):
        path.write_text(as_text(schema), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
