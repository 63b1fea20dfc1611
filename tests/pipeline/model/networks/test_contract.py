"""The example of docs/models.md is a network that keeps the contract."""

import re
import sys
from pathlib import Path

import pytest

from pipeline.model.networks.building import build, verify
from pipeline.settings.config import REPOSITORY, load_config

pytestmark = pytest.mark.tensorflow


def test_the_example_of_the_page_is_taken_with_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (REPOSITORY / "docs" / "models.md").read_text("utf-8")
    (source,) = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    settings, _ = re.findall(r"^```yaml\n(.*?)^```", page, re.M | re.S)
    (tmp_path / "ward").mkdir()
    (tmp_path / "ward" / "lung.py").write_text(source)
    (tmp_path / "run.yaml").write_text(settings)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    # Another test may have imported a package of this name.
    for name in [each for each in sys.modules if each.split(".")[0] == "ward"]:
        monkeypatch.delitem(sys.modules, name)
    model = load_config(tmp_path / "run.yaml").model
    verify(model)
    network = build(model)
    assert network.explained == "step2" and network.model.get_layer("conv2d").filters == 24
