"""environment.sh, which `make` asks for a Python and its packages, on machines that are made up."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.settings.config import REPOSITORY

SCRIPT = REPOSITORY / "environment.sh"


@dataclass
class Computer:
    """Programs of its own in front of the path; uv finds these Pythons and no others."""

    folder: Path
    libc: str = "glibc 2.41"
    pythons: tuple[str, ...] = ("3.13", "3.12", "3.10")
    fetched: str = ""
    sync: int = 0
    without: tuple[str, ...] = ()
    asked: Path = field(init=False)

    def __post_init__(self) -> None:
        self.asked = self.folder / "asked"

    def program(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def python(self, version: str) -> Path:
        include = self.folder / "include"
        if "headers" not in self.without:
            include.mkdir(exist_ok=True)
            (include / "Python.h").touch()
        answers = f'case "$2" in *version_info*) echo {version} ;; *) echo {include} ;; esac'
        return self.program(f"python{version}", answers)

    def run(self, chosen: str = "") -> "subprocess.CompletedProcess[str]":
        found = "".join(f"{v}) echo {self.python(v)} ;; " for v in self.pythons)
        got = f"{self.fetched}) [ -e {self.asked} ] && echo {self.python(self.fetched)} ;;"
        uv = self.program(
            "uv",
            f'case "$1 $2" in\n'
            f'"python find") for last; do :; done; case "$last" in {found} '
            f"{got if self.fetched else ''} *) exit 1 ;; esac ;;\n"
            f'"python install") : >{self.asked}; [ "$4" = "{self.fetched}" ] ;;\n'
            f'*) echo uv "$@"; exit {self.sync} ;;\nesac',
        )
        self.program("getconf", f'echo "{self.libc}"')
        if "compiler" not in self.without:
            self.program("c++", "")
        for name in ("sh", "sed", "sort", "head", "printf", "dirname"):
            self.folder.joinpath(name).symlink_to(shutil.which(name) or name)
        environ = {"PATH": str(self.folder), "HOME": str(self.folder)}
        return subprocess.run(
            ["sh", str(SCRIPT), "sync", str(uv), chosen],
            env=environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
        )


def refusal(done: "subprocess.CompletedProcess[str]", *facts: str) -> None:
    """The last thing said is one line with these facts, and `make` fails."""
    line = done.stderr.splitlines()[-1]
    assert done.returncode == 2 and line.startswith("casegate: "), done
    assert [fact for fact in facts if fact not in line] == [], line


@pytest.mark.parametrize(
    "libc, pythons, taken",
    [
        ("glibc 2.41", ("3.13", "3.12", "3.10"), "3.13"),
        ("glibc 2.39", ("3.11", "3.10"), "3.11"),
        ("glibc 2.39", ("3.10",), "3.10"),
        ("glibc 2.38", ("3.13", "3.10"), "3.10"),
        ("", ("3.13", "3.10"), "3.10"),  # another C library says nothing
    ],
)
def test_the_newest_python_that_the_machine_can_carry_is_taken(
    tmp_path: Path, libc: str, pythons: tuple[str, ...], taken: str
) -> None:
    done = Computer(tmp_path, libc, pythons).run()
    said, synced = done.stdout.splitlines()
    assert done.returncode == 0 and said.startswith(f"Python {taken} ({tmp_path}/python{taken}): ")
    assert synced == f"uv sync --frozen --compile-bytecode --python {tmp_path}/python{taken}"


def test_a_python_that_is_asked_for_is_taken(tmp_path: Path) -> None:
    done = Computer(tmp_path).run("3.12")
    assert done.stdout.startswith(f"Python 3.12 ({tmp_path}/python3.12): ")


def test_a_python_that_pyenv_has_is_found_though_it_is_not_switched_on(tmp_path: Path) -> None:
    computer = Computer(tmp_path, pythons=())
    place = tmp_path / ".pyenv" / "versions" / "3.12.4" / "bin"
    place.mkdir(parents=True)
    place.joinpath("python").symlink_to(computer.python("3.12"))
    assert computer.run().stdout.startswith(f"Python 3.12 ({place}/python): ")


@pytest.mark.parametrize(
    "computer, chosen, facts",
    [
        ({"libc": "glibc 2.36"}, "3.12", ["3.12", "glibc 2.39", "2.36", "PYTHON=3.10"]),
        ({"pythons": ("3.9",)}, "3.9", ["3.9", "3.13", "3.10"]),
        ({}, "/nowhere/python", ["PYTHON=/nowhere/python"]),
        ({"pythons": ()}, "", ["apt install python3-dev", "dnf install", "pyenv install 3.13"]),
        ({"pythons": (), "libc": "glibc 2.36"}, "", ["pyenv install 3.10", "2.36"]),
        ({"sync": 1, "without": ("compiler",)}, "", ["C++ compiler", "apt install g++"]),
        ({"sync": 1, "without": ("headers",)}, "", ["headers", "python3-dev"]),
        ({"sync": 1}, "", ["uv's"]),
    ],
)
def test_what_is_missing_is_one_line_with_how_to_get_it(
    tmp_path: Path, computer: dict, chosen: str, facts: list[str]
) -> None:
    refusal(Computer(tmp_path, **computer).run(chosen), *facts)


def test_uv_fetches_a_python_where_there_is_none(tmp_path: Path) -> None:
    done = Computer(tmp_path, pythons=(), fetched="3.13").run()
    assert done.returncode == 0 and f"Python 3.13 ({tmp_path}/python3.13): " in done.stdout


def make_uv(folder: Path, **pythons: str) -> "subprocess.CompletedProcess[str]":
    """`environment.sh uv` where these programs and no others can be had."""
    computer = Computer(folder)
    for name, text in pythons.items():
        computer.program(name.replace("_", "."), text)
    for name in ("sh", "mkdir", "dirname", "ln", "cp"):
        folder.joinpath(name).symlink_to(shutil.which(name) or name)
    return subprocess.run(
        ["sh", str(SCRIPT), "uv", ".uv/bin/uv"],
        env={"PATH": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_without_uv_and_venv_it_says_what_to_install(tmp_path: Path) -> None:
    done = make_uv(tmp_path, python3='echo "no ensurepip" >&2; exit 1')
    refusal(done, "python3-venv", "dnf install")
    assert len(done.stderr.splitlines()) == 1
    assert not os.path.lexists(tmp_path / ".uv/bin/uv")


def test_a_python_that_is_no_python3_makes_the_uv_too(tmp_path: Path) -> None:
    venv = 'mkdir -p "$4/bin" && cp "$0" "$4/bin/python"'
    done = make_uv(
        tmp_path,
        python3="exit 1",
        python3_12=f'case "$2" in venv) {venv} ;; *) echo "$@" ;; esac',
    )
    assert done.returncode == 0 and done.stdout.startswith("-m pip install --quiet uv>=")
