"""What people state of a model and no record knows: `card.yaml` beside the policy, in git."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from components.baselines.schema import check_document
from components.errors import ConfigError

FILE = "card.yaml"
TEXTS = {
    "intended_use": "Intended use",
    "out_of_scope": "Out of scope",
    "training_data_licence": "Licence of the training data",
    "limitations": "Limitations",
    "ethical_considerations": "Ethical considerations",
    "contact": "Contact",
}


def stated(baseline: Path) -> Mapping[str, str]:
    """The texts in the baseline's `card.yaml`; none where there is no such file.

    Raises:
      ConfigError: it is not YAML, or not as schemas/card.json has it.
    """
    path = baseline / FILE
    if not path.exists():
        return {}
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    check_document(document, "card", locate=lambda at: str(path), error=ConfigError)
    return dict(document)
