"""The steps of a check, one plain line each, and how long each took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from components.records.text import printable


class ProgressStep:
    """One that goes on; `detail` is what its line will say."""

    def __init__(self) -> None:
        self.detail = ""


class Steps:
    """Says each step as it ends; the same line on a terminal and in a log, without colour."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[ProgressStep]:
        began, step, word = time.monotonic(), ProgressStep(), "failed"
        try:
            yield step
            word = "done"
        finally:
            taken = time.monotonic() - began
            self.seconds[name] = round(taken, 3)
            line = f"{name:<18} {taken:6.1f} s  {word:<6}  {step.detail}"
            self.say(one_line_of(line))


def one_line_of(text: str) -> str:
    """Text that is one line of a log, whatever a stranger's file or branch is called."""
    return printable(text).rstrip()
