"""YAML as it is written: no value is guessed, and an error can name the line of each.

Readers of YAML differ in what they take for a number, a flag, a date or a merged key. Here plain
values are what YAML 1.2 has them be; what its two versions read differently, and would harm if
guessed, is refused, as is whatever hides or repeats a key.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from components.records.errors import UsageError

NodePath = tuple[str | int, ...]


class YamlDocument:
    """A parsed file: `data`, plain Python values, and the line of each of them."""

    def __init__(self, path: Path | str, data: Any, lines: dict[NodePath, int]) -> None:
        self.path = path
        self.data = data
        self._lines = lines

    def locate(self, place: Sequence[str | int]) -> str:
        """`file:line` of the value at `place`, or of the nearest one that holds it."""
        for end in range(len(place), -1, -1):
            if line := self._lines.get(tuple(place[:end])):
                return f"{self.path}:{line}"
        return str(self.path)


def read_yaml(path: Path | str, content: bytes | str, *, error: type[UsageError]) -> YamlDocument:
    """Parses the content of `path`: nothing but texts, numbers, true, false, null, lists and keys.

    Args:
      path: names the content in errors; of a text, which is one line, alone.

    Raises:
      error: not YAML, a key stands twice (YAML would silently keep the last), a number is
        infinite or NaN, an alias, a tag or `<<` hides what a value is, a byte-order mark
        or a tab stands where it would be read as something else, or a word or number that YAML 1.1
        and 1.2 read differently.
    """
    try:
        text = content if isinstance(content, str) else _decode(content)
        loader = _Loader(text)
        root = loader.get_single_node()
        nodes = list(_walk(root, ()))
        data = None if root is None else loader.construct_document(root)
    except (_Refused, yaml.YAMLError, ValueError, RecursionError) as fault:
        mark = getattr(fault, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark and isinstance(content, bytes) else str(path)
        if isinstance(fault, _Refused):
            raise error(f"{where}: {fault}") from None
        problem = getattr(fault, "problem", None) or str(fault).splitlines()[0]
        if "'\\t'" in problem:
            problem = "got a tab, wanted spaces"
        raise error(f"{where}: not valid YAML: {problem}") from fault
    lines: dict[NodePath, int] = {}
    for place, node in nodes:
        # A key's line, where its value starts on the next one.
        lines.setdefault(place, node.start_mark.line + 1)
    return YamlDocument(path, data, lines)


def spell_yaml(value: Any) -> str:
    """The value as `read_yaml` reads it back: in JSON, whose texts are all in quotes."""
    text = json.dumps(value, ensure_ascii=False)
    # YAML takes the two halves of JSON's \ud83d\ude00 for two signs.
    return text if text.isprintable() else json.dumps(value)


class _Refused(Exception):
    """A value that YAML would take, and nobody may have meant."""

    def __init__(self, place: Any, why: str) -> None:
        super().__init__(why)
        self.problem_mark = place.start_mark


class _Loader(yaml.SafeLoader):
    """Knows the plain values of YAML 1.2, and nothing that hides a value."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - of PyYAML

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _Refused(event, f"got alias '*{event.anchor}'; write the value out")
        if event.tag:
            raise _Refused(event, f"got tag '{event.tag}'; leave it out, and put a text in quotes")
        return super().compose_node(parent, index)


for _kind, _pattern in (
    ("bool", "true|True|TRUE|false|False|FALSE"),
    ("null", "~|null|Null|NULL|"),
    ("int", "[-+]?[0-9]+|0x[0-9a-fA-F]+"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(f"({_pattern})\\Z"), None
    )

_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
# YAML 1.1 takes them for a flag and for an octal number, 1.2 for text and for a decimal one.
_READ_BOTH_WAYS = re.compile("(?i:yes|no|on|off)|[-+]?0[0-9]+|0o[0-7]+")
_NOT_FINITE = re.compile(r"(?i:[-+]?\.(inf|nan))")


def _decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("begins with a byte-order mark of UTF-16; save it as UTF-8")
    text = content.decode("utf-8")
    if (place := text.find("\ufeff")) >= 0:
        line = len(_LINE_END.findall(text[:place])) + 1
        raise ValueError(f"a byte-order mark stands in line {line}; save it as UTF-8 without")
    return text


def _walk(node: Any, place: NodePath) -> Iterator[tuple[NodePath, yaml.Node]]:
    """Every key and value below `node` with its path; refuses what cannot be read in one way."""
    if node is None:
        return
    yield place, node
    if isinstance(node, yaml.SequenceNode):
        for i, child in enumerate(node.value):
            yield from _walk(child, (*place, i))
    elif isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, child in node.value:
            name = _key(key)
            if name in keys:
                raise _Refused(key, f"key '{name}' stands twice; remove one")
            keys.add(name)
            yield (*place, name), key
            yield from _walk(child, (*place, name))
    elif node.style is None:
        _refuse_unclear(node)


def _key(node: Any) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _Refused(node, "got a list or keys as a key, wanted text")
    if node.style is None and node.value == "<<":
        raise _Refused(node, "got merge key '<<'; write the keys out")
    if node.style is None:
        _refuse_unclear(node)
    node.tag = "tag:yaml.org,2002:str"  # a folder's name may be 1
    return str(node.value)


def _refuse_unclear(node: Any) -> None:
    """Refuses a plain value that a person may have meant otherwise than it would be read."""
    value = node.value
    if _READ_BOTH_WAYS.fullmatch(value):
        wanted = "a number without a leading 0" if value[-1].isdigit() else "true or false"
        raise _Refused(node, f"got {value}, wanted {wanted}; as a text, put it in quotes")
    endless = node.tag.endswith(":float") and not math.isfinite(float(value))
    if endless or _NOT_FINITE.fullmatch(value):
        raise _Refused(node, f"got {value}, wanted a number")
