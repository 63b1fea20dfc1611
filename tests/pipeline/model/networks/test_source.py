import sys
from pathlib import Path

import pytest

from components.records.errors import ConfigError
from pipeline.model.networks.source import hash_source, load_function
from tests.refusing import refused

FILES = {
    "ward/__init__.py": "",
    "ward/nets/__init__.py": "from ward.shapes import SIDE\n",
    "ward/nets/lung.py": "from . import blocks\nimport json, numpy\n\ndef build(model):\n    ...\n",
    "ward/nets/blocks.py": "from ..common import *\n",
    "ward/common.py": "import beside\n",
    "ward/shapes.py": "SIDE = 3\n",
    "ward/reports.py": "",
    "beside.py": "",
    "ward/broken.py": "def (",
    "ward/failing.py": "raise SystemExit('no')\n",
}
NETWORK = "ward.nets.lung:build"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    for name, text in FILES.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    monkeypatch.chdir(home)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [each for each in sys.modules if each.split(".")[0] in ("ward", "beside")]:
        monkeypatch.delitem(sys.modules, name)
    return home


@pytest.mark.parametrize(
    "edited, counts",
    [
        ("ward/__init__.py", True),
        ("ward/nets/__init__.py", True),
        ("ward/nets/lung.py", True),
        ("ward/nets/blocks.py", True),
        ("ward/common.py", True),
        ("ward/shapes.py", True),
        ("beside.py", True),
        ("ward/reports.py", False),
    ],
)
def test_an_edit_of_what_the_network_imports_counts(home: Path, edited: str, counts: bool) -> None:
    before = hash_source(NETWORK)
    with (home / edited).open("a") as file:
        file.write("# an edit\n")
    assert (hash_source(NETWORK) != before) is counts
    assert "ward" not in sys.modules


def test_the_hash_does_not_depend_on_where_the_source_lies(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hash_source(NETWORK)
    moved = home.rename(home.with_name("moved"))
    monkeypatch.chdir(moved.parent)
    monkeypatch.syspath_prepend(str(moved))
    assert hash_source(NETWORK) == before


def test_of_what_is_installed_only_its_own_package_counts(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = home.rename(home.with_name("site-packages"))
    monkeypatch.chdir(installed.parent)
    monkeypatch.syspath_prepend(str(installed))
    before = hash_source(NETWORK)
    (installed / "beside.py").write_text("# an edit\n")
    assert hash_source(NETWORK) == before
    (installed / "ward/common.py").write_text("# an edit\n")
    assert hash_source(NETWORK) != before


def test_a_shipped_network_has_no_source_of_its_own() -> None:
    assert hash_source("small") == ""


def test_the_function_is_found_in_the_current_folder(home: Path) -> None:
    assert load_function(NETWORK).__module__ == "ward.nets.lung"


def test_a_module_that_is_not_there_or_no_python_is_refused(home: Path) -> None:
    for name in ("ward.nets.lunge:build", "absent:build", "ward.nets:"):
        with refused(ConfigError, "model.network", name.split(":")[0]):
            hash_source(name)
            load_function(name)
    with refused(ConfigError, "broken.py", "SyntaxError"):
        hash_source("ward.broken:build")


def test_a_module_that_fails_and_a_function_that_is_absent_are_refused(home: Path) -> None:
    with refused(ConfigError, "ward.failing", "SystemExit: no"):
        load_function("ward.failing:build")
    with refused(ConfigError, "lung.py", "'biuld'", "'build'"):
        load_function("ward.nets.lung:biuld")


def test_another_module_of_that_name_in_this_process_is_refused(home: Path) -> None:
    (home / "json.py").write_text("def build(model): ...\n")
    sys.path.insert(0, str(home))
    with refused(ConfigError, "json.py", "rename"):
        load_function("json:build")
