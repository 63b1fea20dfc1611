"""Every error a person can cause, and the exit code each one ends the command with.

    CasegateError                70  internal error
    ├── UsageError                2  usage or configuration
    │   ├── ConfigError
    │   ├── PolicyError
    │   ├── SourceError              data that cannot be read
    │   └── WorkspaceBusy
    ├── RunStopped                1  the data forbids training
    │   ├── AnomaliesFound
    │   └── LeakageFound
    ├── Unservable                1  a model that TensorFlow Serving cannot run
    ├── IntegrityError            4  a hash, the case set or a baseline does not match
    │   └── SignatureError           nobody who counts signed it, or what was signed was altered
    └── NothingEvaluated          5  no case was judged, or a statistic is undefined
        └── TooFewCases

Messages are one line: what, where, got, wanted, next step.
"""

import difflib
from collections.abc import Iterable


class CasegateError(Exception):
    """Root of the tree; `exit_code` is what the command ends with."""

    exit_code = 70


class UsageError(CasegateError):
    exit_code = 2


class ConfigError(UsageError):
    pass


class PolicyError(UsageError):
    pass


class SourceError(UsageError):
    pass


class WorkspaceBusy(UsageError):
    pass


class RunStopped(CasegateError):
    exit_code = 1


class AnomaliesFound(RunStopped):
    pass


class LeakageFound(RunStopped):
    pass


class Unservable(CasegateError):
    exit_code = 1


class IntegrityError(CasegateError):
    exit_code = 4


class SignatureError(IntegrityError):
    pass


class NothingEvaluated(CasegateError):
    exit_code = 5


class TooFewCases(NothingEvaluated):
    pass


def suggestion(word: str, known: Iterable[str]) -> str:
    """The clause "; did you mean 'x'?", or the known words where none is close."""
    choices = sorted(known)
    close = difflib.get_close_matches(word, choices, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(choices)}"
