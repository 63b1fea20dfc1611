"""What a running pipeline tells whoever watches: components, epochs, cases.

TFX runs components inside Beam, which serialises what it runs; a module-level list of
listeners is what both sides can reach. In a worker process nobody listens, and nothing breaks:
what is done there is seen by its files.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """Attributes:
    kind: "started", "finished", "cached", "failed", "progress", or "notice" of what everybody
      should read, a line in `detail`.
    component: the component's id in the graph; empty for progress of whatever runs now.
    """

    kind: str
    component: str = ""
    detail: str = ""
    values: dict[str, Any] = field(default_factory=dict)


_listeners: list[Callable[[Event], None]] = []


def publish(kind: str, component: str = "", detail: str = "", **values: Any) -> None:
    for listener in list(_listeners):
        listener(Event(kind, component, detail, values))


@contextmanager
def listen(listener: Callable[[Event], None]) -> Iterator[None]:
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
