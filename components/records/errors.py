"""Every error a person can cause, its code, and the exit code it ends the command with.

    CasegateError                CG9001  70  internal error
    ├── DeviceLost               CG9002  70  a device, or a machine, that trained is gone
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
    │   ├── SignatureError       CG4002      nobody who counts signed it, or it was altered
    │   └── RefusedUpdate        CG4003      a site of a federation sent what cannot be right
    └── NothingEvaluated         CG5001   5  no case was judged, or a statistic is undefined
        └── TooFewCases          CG5002

A code names its kind for ever, whatever the class is called; it is never given to another kind. Its
first digit is the exit code, 9 for exit code 70. docs/errors.md says of each code what to do.

Messages are one line: what, where, got, wanted, next step.
"""

import difflib
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

RETIRED: frozenset[str] = frozenset()  # codes of kinds that are gone


class CasegateError(Exception):
    """Something failed inside casegate, or the machine has too little room."""

    code = "CG9001"
    remedy = (
        "Keep the log that the message names; free disk space if it asks for it; otherwise "
        "report the error."
    )
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


class DeviceLost(CasegateError):
    """A device, or another machine, was lost in training."""

    code = "CG9002"
    remedy = "Look after the device or machine that the message names; then run again."


class UsageError(CasegateError):
    """The command got options or files that it cannot use."""

    code = "CG2001"
    remedy = "Read the message, and the help that `--help` shows; then correct the command."
    exit_code = 2


class ConfigError(UsageError):
    """A setting, an option or a folder is wrong."""

    code = "CG2002"
    remedy = "Correct what the message names."


class PolicyError(UsageError):
    """The policy has a mistake, or has a check that can never pass."""

    code = "CG2003"
    remedy = "Correct the policy at the line that the message names."


class SourceError(UsageError):
    """Data cannot be found or read."""

    code = "CG2004"
    remedy = "Check the path, and repair or remove the files that the message names."


class WorkspaceBusy(UsageError):
    """Another process is using the workspace."""

    code = "CG2005"
    remedy = "Wait until that process has ended, and try again."


class RunStopped(CasegateError):
    """The training data do not allow training."""

    code = "CG1001"
    remedy = "Read the message, correct the data, and run again."
    exit_code = 1


class AnomaliesFound(RunStopped):
    """The training data break a rule of the schema, or differ too much from the data of the
    released model."""

    code = "CG1002"
    remedy = "Correct the data; where the change is real, set `data.drift` to `report`."


class LeakageFound(RunStopped):
    """Cases of the case set are also in the training data."""

    code = "CG1003"
    remedy = "Remove these cases from the training data."


class Unservable(CasegateError):
    """TensorFlow Serving cannot run this model."""

    code = "CG1004"
    remedy = "Train and release the model again with this version of casegate."
    exit_code = 1


class IntegrityError(CasegateError):
    """A file that must not change was changed, or files that belong together do not match."""

    code = "CG4001"
    remedy = "Do not release anything; find out who changed the file, and restore it from a backup."
    exit_code = 4


class SignatureError(IntegrityError):
    """A signature is missing, comes from an unknown key, or does not match what was signed."""

    code = "CG4002"
    remedy = (
        "Do not trust the file; find out who signed or changed it, and check the list of "
        "trusted keys."
    )


class RefusedUpdate(IntegrityError):
    """A site of a federation sent weights or counts that cannot be what it was asked for."""

    code = "CG4003"
    remedy = "Leave the site out, and find out with its people what it runs."


class NothingEvaluated(CasegateError):
    """No case was judged, or a number that was needed does not exist."""

    code = "CG5001"
    remedy = (
        "Check that the case set has cases of both classes and that there is a released model "
        "where one is needed."
    )
    exit_code = 5


class TooFewCases(NothingEvaluated):
    """There are too few cases for this number."""

    code = "CG5002"
    remedy = "Add cases, or ask for less: a wider margin, or fewer slices."


KINDS: dict[str, type[CasegateError]] = {
    kind.code: kind
    for kind in tuple(globals().values())
    if isinstance(kind, type) and issubclass(kind, CasegateError)
}


def suggestion(word: str, known: Iterable[str]) -> str:
    """The clause "; did you mean 'x'?", or the known words where none is close.

    A word is never offered for another that may mean something else: one with other digits, with a
    word more, or as near to the opposite of what would be offered.
    """
    choices = sorted(known)
    for close in difflib.get_close_matches(word, choices, n=3):
        if not _may_differ(word.lower(), close.lower()):
            return f"; did you mean '{close}'?"
    return f"; known: {', '.join(choices)}"


_OPPOSITES = (
    *(("no", "yes"), ("without", "with"), ("negative", "positive"), ("absent", "present")),
    *(("false", "true"), ("off", "on"), ("out", "in"), ("left", "right"), ("first", "last")),
    *(("benign", "malignant"), ("healthy", "sick"), ("well", "ill"), ("normal", "abnormal")),
    *(("min", "max"), ("lower", "upper"), ("before", "after"), ("train", "test")),
    *(("sensitivity", "specificity"), ("floor", "ceiling"), ("gained", "lost")),
    *(("champion", "golden"), ("candidate", "champion"), ("candidate", "golden")),
)
_TURNING = ("no", "non", "not", "un", "ab", "a", "in", "dis", "anti", "without", "-", "?")


def _may_differ(word: str, close: str) -> bool:
    """Whether what a person wrote may mean something else than the known word close to it."""
    if word == close:
        return False
    if re.findall(r"[+-]?\d+", word) != re.findall(r"[+-]?\d+", close) or "?" in word:
        return True
    ours, theirs = (set(re.findall(r"[^\W_]+", text)) for text in (word, close))
    if theirs < ours:
        return True
    likeness = difflib.SequenceMatcher(b=word)
    likeness.set_seq1(close)
    near = likeness.ratio()
    for other in _opposites(close):
        likeness.set_seq1(other)
        if likeness.ratio() >= near:
            return True
    return False


def _opposites(text: str) -> Iterator[str]:
    """Words that say the opposite of `text`, or what is not it."""
    for turning in _TURNING:
        yield f"{turning}{text}"
        yield f"{turning} {text}"
    yield f"{text} negative"
    for pair in _OPPOSITES:
        for one, other in itertools.permutations(pair):
            if re.search(rf"(?<![^\W_]){one}(?![^\W_])", text):
                yield re.sub(rf"(?<![^\W_]){one}(?![^\W_])", other, text)
