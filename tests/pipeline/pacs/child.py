"""A node as a process of its own, with a model that answers at once; killed where a test says.

python -m tests.pipeline.pacs.child CONFIG [POINT]
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.dicom.web import DicomWeb
from components.records.clock import utc_now
from components.scoring import served
from pipeline.pacs import serve as serving
from pipeline.pacs.intake import StudyIntake
from pipeline.pacs.queue import PacsQueue
from pipeline.pacs.settings import load_pacs_config
from tests.components.scoring import pretending


def killed(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def and_killed(do: Callable[..., Any]) -> Callable[..., Any]:
    def done(*given: Any, **named: Any) -> Any:
        do(*given, **named)
        killed()

    return done


POINTS: dict[str, tuple[type, str, bool]] = {
    "before it is in the queue": (PacsQueue, "add", False),
    "when it is in the queue": (PacsQueue, "add", True),
    "before it is sent": (DicomWeb, "store", False),
    "when it is sent": (DicomWeb, "store", True),
    "before it is called sent": (PacsQueue, "finish", False),
    "when it is called sent": (PacsQueue, "finish", True),
    "when its file is removed": (StudyIntake, "forget", True),
}


def main(config: str, point: str = "") -> None:
    served.PROGRAM = Path(pretending.__file__)
    if point:
        kind, name, after = POINTS[point]
        setattr(kind, name, and_killed(getattr(kind, name)) if after else killed)
    serving.serve(load_pacs_config(Path(config)), lambda line: print(utc_now(), line, flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
