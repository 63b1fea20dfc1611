"""A SavedModel that was trained elsewhere: checked before anything else, and passed through."""

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.records.errors import ConfigError, IntegrityError, Unservable
from components.records.files import sha256_tree
from components.scoring.score import operating_point_of
from components.scoring.served import probe
from pipeline.model.export import complete


def verify_ready_made(folder: Path) -> None:
    """Raises ConfigError where it does not answer as a model that was trained here would."""
    fault = probe(folder).fault
    try:
        point = operating_point_of(folder)
    except Unservable as error:
        fault, point = fault or str(error).removeprefix(f"{folder}: "), math.nan
    if not fault and not 0 <= point <= 1:
        fault = f"got the operating point {point:g}, wanted one in [0, 1]"
    if fault:
        raise ConfigError(
            f"model.saved_model: {folder}: {fault}; wanted the signatures serving_default and "
            "serve_examples, which give probability and label, and a variable operating_point"
        )


def pass_through(folder: Path, sha256: str, directory: str, record: Mapping[str, Any]) -> None:
    """Copies it to where a trained model would be exported, and adds what released ones have.

    Raises:
      IntegrityError: its files are not those that were checked.
      Unservable: its signatures do not keep the serving contract.
    """
    if (got := sha256_tree(folder)) != sha256:
        raise IntegrityError(f"{folder}: got SHA-256 {got}, wanted {sha256}; it changed meanwhile")
    shutil.copytree(folder, directory, dirs_exist_ok=True)
    complete(directory, record)
