"""What a test asserts of a refusal: the code of its kind and the facts in it, not its sentence."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.testing import Result

from components.records.errors import KINDS, CasegateError


@contextmanager
def refused(
    kind: type[CasegateError], *facts: object
) -> Iterator[pytest.ExceptionInfo[CasegateError]]:
    """The block raises an error with the code of `kind`, one line that holds each of `facts`."""
    with pytest.raises(CasegateError) as caught:
        yield caught
    message = str(caught.value)
    assert caught.value.code == kind.code, caught.value.line
    assert "\n" not in message
    assert [fact for fact in map(str, facts) if fact not in message] == [], message


def refusal(result: Result, kind: type[CasegateError] | int, *facts: object) -> str:
    """The one line of a command that refused, with the code of `kind` and each of `facts`.

    Args:
      kind: or its exit code, where a table has kinds of several exit codes.
    """
    (line,) = result.stderr.splitlines()
    found = KINDS[re.findall(r"\bCG\d{4}\b", line)[-1]]
    assert kind in (found, found.exit_code), line
    assert line.startswith("{") or line.endswith(f" [{found.code}]")
    assert (result.exit_code, result.stdout) == (found.exit_code, ""), result.output
    assert [fact for fact in map(str, facts) if fact not in line] == [], line
    return line
