"""A network that `model.network` names by a dotted path: its function, and a hash of its source.

The hash is part of what an unchanged run is known by, so it is taken without importing anything.
"""

import ast
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import resolve_name
from inspect import isfunction
from pathlib import Path
from typing import Any

from components.records.errors import ConfigError, suggestion
from components.records.files import sha256_file, sha256_json
from pipeline.model.networks.backbones import BACKBONES, require

# Of what is installed for all, only the network's own package is read.
INSTALLED = ("site-packages", "dist-packages")


def hash_source(name: str) -> str:
    """SHA-256 (hex) over the module of `package.module:function` and what it imports beside it.

    Beside it is what lies in the same folder of the search path; of installed packages, its own.
    What is imported by a computed name is not seen. The source of a network that is shipped here
    counts with the code that decides: its hash is that of its backbone, or empty.

    Raises:
      ConfigError: no such module as plain source, source that is no Python, or no such backbone in
        the cache.
    """
    module, colon, _ = name.partition(":")
    if not colon:
        return require(name) if name in BACKBONES else ""
    home = _home(module)
    waiting, digests = [module], {}
    while waiting:
        each = waiting.pop()
        files = [] if each in digests else _files(each, home)
        if not files or (home.name in INSTALLED and each.split(".")[0] != module.split(".")[0]):
            continue
        digests[each] = sha256_file(files[-1])
        waiting += [each.rpartition(".")[0], *_imported(each, files[-1])]
    return sha256_json(digests)


def load_function(name: str) -> Callable[..., Any]:
    """The function of `package.module:function`, whose module is imported for it.

    Raises:
      ConfigError: the module fails, has no such function, or is not the source that was hashed.
    """
    module, _, function = name.partition(":")
    source = _files(module, _home(module))[-1]
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        imported = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise refusal(name, f"importing {module} raised {first_line(error)}") from None
    if not source.samefile(imported.__file__ or os.devnull):
        raise refusal(name, f"got {imported.__file__}, wanted {source}; rename the module")
    found = getattr(imported, function, None)
    if not callable(found):
        known = [each for each, value in vars(imported).items() if isfunction(value)]
        raise refusal(name, f"{source}: no function '{function}'{suggestion(function, known)}")
    return found


def refusal(name: str, fault: str) -> ConfigError:
    """What is wrong with the network `name`, as an error."""
    return ConfigError(f"model.network: {name}: {fault}")


def first_line(error: BaseException) -> str:
    """Kind and first line of somebody else's error."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def _home(module: str) -> Path:
    """The folder of the search path that has the module; the current one comes last."""
    folders = [Path(folder or os.curdir) for folder in (*sys.path, "")]
    for folder in folders:
        if _files(module, folder):
            return folder.resolve()
    raise ConfigError(
        f"model.network: got {module}, wanted a module of Python source on PYTHONPATH or in the "
        f"current folder, {Path.cwd()}"
    )


def _files(module: str, home: Path) -> Sequence[Path]:
    """The packages around a module and the module itself, as files; empty where it is not there."""
    files: list[Path] = []
    *packages, last = module.split(".")
    folder = home
    for part in packages:
        folder = folder / part
        if (folder / "__init__.py").is_file():
            files.append(folder / "__init__.py")
    for path in (folder / last / "__init__.py", folder / f"{last}.py"):
        if path.is_file():
            return [*files, path]
    return []


def _imported(module: str, file: Path) -> Iterator[str]:
    """Every module that the source may import, and names of what may be one."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"model.network: {file}: {first_line(error)}") from None
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = resolve_name("." * node.level + base, package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
