"""Whether the tests see a change of what decides: `make mutants`, by mutmut.

    python tests/measure/mutants.py                             every room below
    python tests/measure/mutants.py components/gate             one room, or one module

Each room is tried by its own tests alone. What mutmut generates and finds stays in
`build/mutants`, so that a run that was stopped goes on where it was; what lives without a
reason in `mutants.toml` is tried anew. Exit code 1: there is such a mutant, or too few die.
"""

import gc
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import tomli

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "mutants"
REASONS = Path(__file__).with_name("mutants.toml")
LIVES = (0, 2, 5, 33)  # pytest's exit codes: passed, interrupted, no test; no test reaches it
LEAST_KILLED = 0.97  # of those that change anything

# What decides, and the tests that must see a change of it.
ROOMS = {
    "components/statistics": ["tests/components/statistics"],
    "components/gate": ["tests/components/gate"],
    "components/gate/evaluation.py": ["tests/components/gate/test_evaluation.py"],
    "components/records/chain.py": ["tests/components/records"],
    "components/records/ledger": ["tests/components/records/ledger"],
    "components/records/merkle.py": ["tests/components/records/test_merkle.py"],
    "components/attestation": ["tests/components/attestation"],
    "components/admission": ["tests/components/admission"],
    "pipeline/model/export.py": ["tests/pipeline/model/test_export.py"],
    "components/scoring": ["tests/components/scoring"],
}
WITH_TENSORFLOW = {
    "components/gate/evaluation.py",
    "components/scoring",
    "pipeline/model/export.py",
}
UNUSED = ("cacheprovider", "unraisableexception", "threadexception", "xdist")  # for speed
COPIED = ("baselines", "ci", "docs", "pyproject.toml", "schemas", "setup.py", "tests")


def main(of: str) -> int:
    inside = [room for room in ROOMS if not of or f"{room}/".startswith(f"{of}/")]
    chosen = inside or [room for room in ROOMS if of.startswith(f"{room}/")]
    if not chosen:
        print(f"{of}: not among what decides; give one of {', '.join(ROOMS)}, or a module of it")
        return 2
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    failed = 0
    for room in chosen:
        folder = prepare(room)
        module = "" if inside else of.removesuffix(".py").replace("/", ".") + ".*"
        command = [sys.executable, __file__, "--in-room", room, *filter(None, [module])]
        failed |= subprocess.run(command, cwd=folder, env=environ).returncode
    return failed


def prepare(room: str) -> Path:
    """The folder that mutmut takes for the project, without what changed since its last run."""
    folder = WORK / room.replace("/", "-").removesuffix(".py")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("components", "pipeline", *COPIED):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(ROOT / name)
    tensorflow = room in WITH_TENSORFLOW
    marks = "not slow and not process" + ("" if tensorflow else " and not tensorflow")
    settings = {
        "source_paths": ["components", "pipeline"],
        "only_mutate": [room if room.endswith(".py") else f"{room}/*.py"],
        "do_not_mutate": ["*/component.py", *(one for one in ROOMS if one.startswith(f"{room}/"))],
        "also_copy": COPIED,
        "pytest_add_cli_args": ["-m", marks, *(f"-pno:{plugin}" for plugin in UNUSED)],
        "pytest_add_cli_args_test_selection": ROOMS[room],
        # A process that TensorFlow has computed in cannot be forked: its threads are gone.
        "process_isolation": ["forkserver" if tensorflow else "fork"],
        "timeout_multiplier": ["3"],  # of the time on a quiet machine, and the seconds below
        "timeout_constant": ["10" if tensorflow else "4"],  # TensorFlow starts in each
        "on_dependency_change": ["ignore"],
    }
    lines = [
        f"{key} = {values[0]}" if len(values) == 1 else "\n  ".join([f"{key} =", *values])
        for key, values in settings.items()
    ]
    (folder / "setup.cfg").write_text("\n".join(["[mutmut]", *lines, ""]), "utf-8")
    mutants = folder / "mutants"
    for name in COPIED:
        shutil.rmtree(mutants / name, ignore_errors=True)
    known = mutants / "mutmut-stats.json"  # which test reaches which function
    sources = [*ROOT.glob("components/**/*.py"), *ROOT.glob("tests/[!m]*/**/*.py")]
    if known.exists() and known.stat().st_mtime < max(path.stat().st_mtime for path in sources):
        known.unlink()
    for path in [*mutants.rglob("*.py"), *mutants.rglob("*.py.meta")]:
        source = _source(path, mutants)
        unfinished = source.startswith(room) and not (mutants / f"{source}.meta").exists()
        if unfinished or not (ROOT / source).exists():
            path.unlink()
    return folder


def _source(path: Path, mutants: Path) -> str:
    return path.relative_to(mutants).as_posix().removesuffix(".meta")


def run(room: str, names: list[str]) -> int:
    """Tries the mutants of a room, in the folder that was made for it, and reports."""
    sys.path.pop(0)  # this file's folder, whose names are no top-level modules
    from hypothesis import Phase, settings
    from mutmut.__main__ import cli
    from mutmut.mutation import mutators
    from mutmut.workers.isolation import ForkRunner, ForkServerRunner

    # The first failing example is enough; tests/conftest.py builds its profile on this one.
    settings.register_profile("quick", phases=(Phase.explicit, Phase.generate))
    settings.load_profile("quick")
    os.register_at_fork(before=gc.freeze)
    # The tests pass: they did when it was recorded which of them reaches which function.
    for runner in (ForkRunner, ForkServerRunner):
        runner.run_clean_tests = lambda *_, **__: 0  # type: ignore[method-assign]
    mutators.mutation_operators[:] = operators(mutators)  # type: ignore[index]
    reasons = tomli.loads(REASONS.read_text("utf-8"))
    for path, results in metas():
        for name, code in results.items():
            if code in LIVES and change(name, path) not in reasons.get(path, {}):
                results[name] = None
        save(path, results)
    cli(["run", "--max-children", "1", *names], standalone_mode=False)
    return report(room, reasons, names[0] if names else "*")


def operators(mutators: object) -> list:
    """mutmut's, without what breaks at once in any test, with both neighbours of a number.

    A text with a blank in it is a sentence for people: its wording decides nothing.
    """
    import libcst as cst

    def number(node: cst.BaseNumber) -> Iterator[cst.BaseNumber]:
        yield from mutators.operator_number(node)
        if isinstance(node, cst.Integer) and node.evaluated_value > 0:
            yield node.with_changes(value=repr(node.evaluated_value - 1))
        elif isinstance(node, cst.Float) and node.evaluated_value:
            yield node.with_changes(value=repr(node.evaluated_value / 2))

    def string(node: cst.BaseString) -> Iterable[cst.BaseString]:
        if isinstance(node, cst.SimpleString) and " " not in node.value:
            return list(mutators.operator_string(node))[:1]
        return []

    def opposite(node: cst.ComparisonTarget) -> Iterator[cst.ComparisonTarget]:
        pairs = ((cst.LessThan, cst.GreaterThanEqual), (cst.GreaterThan, cst.LessThanEqual))
        for one, other in (*pairs, *((b, a) for a, b in pairs)):
            if isinstance(node.operator, one):
                yield node.with_changes(operator=other())

    def argument(node: cst.Call) -> Iterator[cst.Call]:
        for at, given in enumerate(node.args):
            if given.keyword and len(node.args) > 1:
                yield node.with_changes(args=[*node.args[:at], *node.args[at + 1 :]])

    ours = {"operator_number": number, "operator_string": string, "operator_arg_removal": argument}
    dropped = {"operator_assignment", "operator_lambda", "operator_dict_arguments"}
    kept = [
        (kind, ours.get(each.__name__, each))
        for kind, each in mutators.mutation_operators
        if each.__name__ not in dropped
    ]
    return [*kept, (cst.ComparisonTarget, opposite)]


def metas() -> Iterator[tuple[str, dict[str, int | None]]]:
    """Each mutated module with pytest's exit code for each of its mutants."""
    mutants = Path("mutants")
    for path in sorted(mutants.rglob("*.py.meta")):
        yield _source(path, mutants), json.loads(path.read_text("utf-8"))["exit_code_by_key"]


def save(path: str, results: dict[str, int | None]) -> None:
    meta = Path("mutants", f"{path}.meta")
    document = json.loads(meta.read_text("utf-8"))
    meta.write_text(json.dumps({**document, "exit_code_by_key": results}), "utf-8")


def change(name: str, path: str) -> str:
    """A mutant as `mutants.toml` names it: `function: line before -> line after`."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    lines = get_diff_for_mutant(name, path=path).splitlines()[2:]
    before, after = (
        " ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+"
    )
    function = name.rpartition(".")[2].partition("__mutmut_")[0].removeprefix("x_")
    return f"{function.strip('xǁ').replace('ǁ', '.')}: {before} -> {after}"


def report(room: str, reasons: dict[str, dict[str, str]], asked: str) -> int:
    """One line for the room, or what was asked of it, and each mutant that lives unexplained."""
    counts: Counter[str] = Counter()
    for path, results in metas():
        listed = dict(reasons.get(path, {}))
        results = {name: code for name, code in results.items() if fnmatch(name, asked)}
        for name, code in results.items():
            reason = listed.pop(change(name, path), None) if code in LIVES else None
            kind = kind_of(code, reason)
            counts[kind] += 1
            if kind == "lives":
                print(f"{path}  {change(name, path)}  [{name.rpartition('.')[2]}]")
        for gone in listed if results and None not in results.values() else ():
            print(f"{path}  in {REASONS.name}, but no such mutant lives: {gone}")
    tried = counts["killed"] + counts["lives"] + counts["not worth a test"]
    share = counts["killed"] / max(tried, 1)
    print(f"{room}: {dict(counts)}, {share:.1%} of those that change anything killed")
    return int(counts["lives"] > 0 or share < LEAST_KILLED)


def kind_of(code: int | None, reason: str | None) -> str:
    if code is None:
        return "not tried"
    if code not in LIVES:
        return "killed"
    if reason is None:
        return "lives"
    return "changes nothing" if reason.startswith("equivalent") else "not worth a test"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in-room"]:
        sys.exit(run(sys.argv[2], sys.argv[3:]))
    sys.exit(main((sys.argv[1:] or [""])[0].rstrip("/")))
