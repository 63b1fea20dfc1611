"""What people state of a model and no record knows: `card.yaml` beside the policy, in git.

A card shows it as it stands now, and says whether git has it so: a text that nobody committed is
one that nobody approved.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from components.card.card import NOT_STATED
from components.records.errors import ConfigError
from components.records.files import sha256_file
from components.records.schema import check_document
from components.records.yaml_lines import read_yaml
from pipeline.settings.provenance import committed

FILE = "card.yaml"
TEXTS = {
    "intended_use": "Intended use",
    "out_of_scope": "Out of scope",
    "training_data_licence": "Licence of the training data",
    "limitations": "Limitations",
    "ethical_considerations": "Ethical considerations",
    "contact": "Contact",
}


@dataclass(frozen=True)
class Stated:
    """Attributes:
    sha256: of the file; None where there is none.
    commit: the last one that changed it; None where the file is not as git has it.
    missing: what stands in place of a text that is not there.
    """

    words: Mapping[str, str] = field(default_factory=dict)
    sha256: str | None = None
    commit: str | None = None
    missing: str = NOT_STATED

    def text(self, key: str) -> str:
        return self.words.get(key, self.missing)


def stated(baseline: Path) -> Stated:
    """The texts in the baseline's `card.yaml`.

    Raises:
      ConfigError: it is not YAML, a key stands twice, or it is not as schemas/card.json has it.
    """
    path = baseline / FILE
    if not baseline.is_dir():
        return Stated(missing="not known: the folder of the baseline is not here")
    if not path.exists():
        return Stated()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    document = read_yaml(path, content, error=ConfigError)
    check_document(document.data or {}, "card", locate=document.locate, error=ConfigError)
    return Stated(dict(document.data or {}), sha256_file(path), committed(path)[0])
