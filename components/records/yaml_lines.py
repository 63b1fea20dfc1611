"""YAML that remembers on which line each value stands, so that an error can name it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from components.records.errors import UsageError

NodePath = tuple[str | int, ...]


class YamlDocument:
    """A parsed file: `data`, plain Python values, and the line of each of them."""

    def __init__(self, path: Path, data: Any, lines: dict[NodePath, int]) -> None:
        self.path = path
        self.data = data
        self._lines = lines

    def locate(self, place: Sequence[str | int]) -> str:
        """`file:line` of the value at `place`, or of the nearest one that holds it."""
        for end in range(len(place), -1, -1):
            if line := self._lines.get(tuple(place[:end])):
                return f"{self.path}:{line}"
        return str(self.path)


def read_yaml(path: Path, content: bytes, *, error: type[UsageError]) -> YamlDocument:
    """Parses the bytes of `path`.

    Raises:
      error: not YAML, a key stands twice (YAML would silently keep the last), a number is
        infinite or NaN, or an alias hides what a value is.
    """
    try:
        for event in yaml.parse(content, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise error(f"{path}:{line}: got alias '*{event.anchor}'; write the value out")
        root = yaml.compose(content, Loader=yaml.SafeLoader)
        data = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as fault:
        mark = getattr(fault, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(fault, "problem", None) or str(fault).splitlines()[0]
        raise error(f"{where}: not valid YAML: {problem}") from fault
    lines: dict[NodePath, int] = {}
    for place, node, twice in _walk(root, ()):
        line = node.start_mark.line + 1
        if twice:
            raise error(f"{path}:{line}: key '{place[-1]}' stands twice; remove one")
        if node.tag == "tag:yaml.org,2002:float" and node.value.lower().lstrip("+-") in _NOT_FINITE:
            raise error(f"{path}:{line}: got {node.value}, wanted a number")
        lines.setdefault(place, line)  # a key's line, where its value starts on the next one
    return YamlDocument(path, data, lines)


_NOT_FINITE = (".nan", ".inf")


def _walk(node: yaml.Node | None, place: NodePath) -> Iterator[tuple[NodePath, yaml.Node, bool]]:
    """Every value below `node` with its path; True where a key repeats."""
    if node is None:
        return
    if not place:
        yield place, node, False
    if isinstance(node, yaml.SequenceNode):
        for i, child in enumerate(node.value):
            yield (*place, i), child, False
            yield from _walk(child, (*place, i))
    elif isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, child in node.value:
            name = str(key.value)
            yield (*place, name), key, name in keys
            keys.add(name)
            yield (*place, name), child, False
            yield from _walk(child, (*place, name))
