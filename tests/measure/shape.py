"""How the product is built, in figures: `make shape`.

    python -m tests.measure.shape            the figures
    python -m tests.measure.shape --help-of  every command's --help, to compare two versions

A room is a package right below `pipeline` or `components`; an arrow, one room's import of another;
a floor, how many arrows lie below a room at most.
"""

import ast
import sys
from collections import Counter
from functools import lru_cache
from pathlib import Path

import grimp

PACKAGES = ("pipeline", "components")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in Path(package).rglob("*.py"))


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def arrows(graph: grimp.ImportGraph, package: str) -> set[tuple[str, str]]:
    """Pairs of rooms of which the first imports the second."""
    found = set()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            pair = room(module), room(imported)
            if pair[0] != pair[1] and all(name.startswith(f"{package}.") for name in pair):
                found.add(pair)
    return found


def floors(pairs: set[tuple[str, str]]) -> int:
    """RecursionError where the rooms stand in a circle."""

    @lru_cache
    def above(name: str) -> int:
        return 1 + max((above(below) for upper, below in pairs if upper == name), default=0)

    return max(map(above, {name for pair in pairs for name in pair}))


def circles(pairs: set[tuple[str, str]]) -> int:
    """How many names can be reached from themselves."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            name = waiting.pop()
            news = {below for upper, below in pairs if upper == name} - seen
            seen |= news
            waiting += news
        return seen

    return sum(name in reached(name) for name in {name for pair in pairs for name in pair})


def single_importers(graph: grimp.ImportGraph) -> tuple[int, int]:
    """Modules that one other module imports, and those of them whose importer lies beside them."""
    every = near = 0
    for module in graph.modules:
        importers = graph.find_modules_that_directly_import(module)
        if len(importers) == 1 and not graph.find_children(module):
            every += 1
            near += next(iter(importers)).rpartition(".")[0] == module.rpartition(".")[0]
    return every, near


def duplicate_classes() -> dict[str, int]:
    names = Counter(
        node.name
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    return {name: count for name, count in sorted(names.items()) if count > 1}


def reading() -> dict[str, object]:
    """How the functions are cut and explained."""
    functions: list[int] = []
    explained = total = 0
    for path in sources():
        text = path.read_text("utf-8")
        total += text.count("\n")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions.append(lines_of(node))
            if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
                explained += lines_of(node.body[0])
    return {
        "lines of the mean function": f"{sum(functions) / len(functions):.1f}",
        "lines of docstrings in a hundred": f"{100 * explained / total:.1f}",
    }


def lines_of(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def figures() -> dict[str, object]:
    graph = grimp.build_graph(*PACKAGES)
    imports = {
        (module, imported)
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
    }
    every, near = single_importers(graph)
    contracts = Path("pyproject.toml").read_text("utf-8").count("[[tool.importlinter.contracts]]")
    found: dict[str, object] = {
        "modules": sum(path.name != "__init__.py" for path in sources()),
        "lines": sum(path.read_text("utf-8").count("\n") for path in sources()),
    }
    for package in PACKAGES:
        pairs = arrows(graph, package)
        circling = circles(pairs)
        found |= {
            f"{package}: rooms": len({name for pair in pairs for name in pair}),
            f"{package}: arrows": len(pairs),
            f"{package}: floors": "none, for rooms stand in a circle"
            if circling
            else floors(pairs),
            f"{package}: rooms in a circle": circling,
        }
    return (
        found
        | reading()
        | {
            "modules in a circle": circles(imports),
            "modules with one importer": every,
            "of these, beside it": near,
            "class names that stand twice": len(duplicate_classes()),
            "import contracts": contracts,
        }
    )


def print_help() -> None:
    """The help of every command, one after the other."""
    import click
    from click.testing import CliRunner

    from pipeline.cli import main

    def walk(command: click.Command, words: tuple[str, ...]) -> None:
        print(f"## casegate {' '.join(words)}")
        print(CliRunner().invoke(main, [*words, "--help"]).output)
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                inner = command.get_command(click.Context(command), name)
                assert inner is not None
                walk(inner, (*words, name))

    walk(main, ())


if __name__ == "__main__":
    if "--help-of" in sys.argv:
        print_help()
    else:
        for name, figure in figures().items():
            print(f"{figure!s:>8}  {name}")
        print(
            *(f"{count:8}  class {name}" for name, count in duplicate_classes().items()), sep="\n"
        )
