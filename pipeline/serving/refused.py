"""Why a request is not answered: one status, which gRPC sends as it is and REST as HTTP's."""

from enum import Enum
from logging import ERROR

from components.records.text import kind_and_words
from pipeline.serving.journal import note


class Status(Enum):
    """By gRPC's name; the value is HTTP's code, as TensorFlow Serving maps them."""

    INVALID_ARGUMENT = 400
    UNAUTHENTICATED = 401
    NOT_FOUND = 404
    RESOURCE_EXHAUSTED = 429
    INTERNAL = 500
    UNAVAILABLE = 503
    DEADLINE_EXCEEDED = 504


class Refused(Exception):
    """An answer of its own: it is sent to the client, so it quotes nothing that may be private."""

    def __init__(self, words: str, status: Status = Status.INVALID_ARGUMENT) -> None:
        super().__init__(words)
        self.words, self.status = words, status


def refusal_of(error: Exception) -> Refused:
    """What a client is told of an error; of one that should not be, only that it was."""
    if isinstance(error, Refused):
        return error
    note(ERROR, "internal error", why=kind_and_words(error))
    return Refused("internal error", Status.INTERNAL)
