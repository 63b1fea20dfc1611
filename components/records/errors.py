"""Every error a person can cause, its code, and the exit code it ends the command with.

    CasegateError                CG9001  70  internal error
    ├── UsageError               CG2001   2  usage or configuration
    │   ├── ConfigError          CG2002
    │   ├── PolicyError          CG2003
    │   ├── SourceError          CG2004      data that cannot be read
    │   └── WorkspaceBusy        CG2005
    ├── RunStopped               CG1001   1  the data forbids training
    │   ├── AnomaliesFound       CG1002
    │   └── LeakageFound         CG1003
    ├── Unservable               CG1004   1  a model that TensorFlow Serving cannot run
    ├── IntegrityError           CG4001   4  a hash, the case set or a baseline does not match
    │   └── SignatureError       CG4002      nobody who counts signed it, or it was altered
    └── NothingEvaluated         CG5001   5  no case was judged, or a statistic is undefined
        └── TooFewCases          CG5002

A code names its kind for ever, whatever the class is called; it is never given to another kind. Its
first digit is the exit code, 9 for exit code 70. docs/errors.md says of each code what to do.

Messages are one line: what, where, got, wanted, next step.
"""

import difflib
from collections.abc import Iterable
from typing import Any

RETIRED: frozenset[str] = frozenset()  # codes of kinds that are gone


class CasegateError(Exception):
    """Root of the tree; `exit_code` is what the command ends with, `code` names the kind."""

    code = "CG9001"
    exit_code = 70

    @property
    def line(self) -> str:
        """The error as a person reads it."""
        return f"{type(self).__name__}: {self} [{self.code}]"

    def as_json(self) -> dict[str, Any]:
        """The error as a program reads it."""
        kind = type(self).__name__
        message, exit_code = str(self), self.exit_code
        return {"code": self.code, "kind": kind, "message": message, "exit_code": exit_code}


class UsageError(CasegateError):
    code = "CG2001"
    exit_code = 2


class ConfigError(UsageError):
    code = "CG2002"


class PolicyError(UsageError):
    code = "CG2003"


class SourceError(UsageError):
    code = "CG2004"


class WorkspaceBusy(UsageError):
    code = "CG2005"


class RunStopped(CasegateError):
    code = "CG1001"
    exit_code = 1


class AnomaliesFound(RunStopped):
    code = "CG1002"


class LeakageFound(RunStopped):
    code = "CG1003"


class Unservable(CasegateError):
    code = "CG1004"
    exit_code = 1


class IntegrityError(CasegateError):
    code = "CG4001"
    exit_code = 4


class SignatureError(IntegrityError):
    code = "CG4002"


class NothingEvaluated(CasegateError):
    code = "CG5001"
    exit_code = 5


class TooFewCases(NothingEvaluated):
    code = "CG5002"


KINDS: dict[str, type[CasegateError]] = {
    kind.code: kind
    for kind in tuple(globals().values())
    if isinstance(kind, type) and issubclass(kind, CasegateError)
}


def suggestion(word: str, known: Iterable[str]) -> str:
    """The clause "; did you mean 'x'?", or the known words where none is close."""
    choices = sorted(known)
    close = difflib.get_close_matches(word, choices, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(choices)}"
