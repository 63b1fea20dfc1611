"""What a test asserts of a refusal: the code of its kind and the facts in it, not its sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from components.records.errors import CasegateError


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
