"""Stands in for `casegate run` where a retraining's supervision is what is tested.

Its first argument is a file of steps; the first start does the first step, and so on, the last one
again and again. Each start leaves its process id in `children.txt` of the workspace.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

F_SETPIPE_SZ = 1031


def main() -> None:
    steps = json.loads(Path(sys.argv[1]).read_text())
    workspace = Path(sys.argv[sys.argv.index("--workspace") + 1])
    workspace.mkdir(exist_ok=True)
    children = workspace / "children.txt"
    number = len(children.read_text().split()) if children.exists() else 0
    with children.open("a") as file:
        file.write(f"{os.getpid()}\n")
    (workspace / "argv.json").write_text(json.dumps(sys.argv[2:]))
    for what, *details in steps[min(number, len(steps) - 1)]:
        STEPS[what](workspace, *details)


def say(_workspace: Path, line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def release(workspace: Path, version: int) -> None:
    folder = workspace / "serving" / "pneumonia" / str(version)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_text("weights")


def outcome(_workspace: Path, path: str) -> None:
    told = json.loads(Path(path).read_text())
    print(json.dumps(told), flush=True)
    sys.exit(told["exit_code"])


def adopt(workspace: Path, folder: str) -> None:
    """Takes a folder that was made before for that of its own run."""
    (workspace / "runs").mkdir(exist_ok=True)
    Path(folder).rename(workspace / "runs" / Path(folder).name)


def widen(_workspace: Path) -> None:
    """Makes the pipe hold a megabyte, as pipes do where pages are large."""
    fcntl.fcntl(1, F_SETPIPE_SZ, 1 << 20)


def leave(_workspace: Path, code: int) -> None:
    sys.exit(code)


def die(_workspace: Path, name: str) -> None:
    os.kill(os.getpid(), signal.Signals[name])
    time.sleep(20)


def hang(_workspace: Path, seconds: float) -> None:
    time.sleep(seconds)


def ignore_sigterm(_workspace: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def found_family(workspace: Path) -> None:
    """Starts a process of its own that would outlive it."""
    command = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
    child = subprocess.Popen(command)  # keeps the pipes open, too
    (workspace / "grandchild.txt").write_text(str(child.pid))


def hold(_workspace: Path, mebibytes: int) -> None:
    held = bytearray(mebibytes * 2**20)
    held[::4096] = b"x" * len(held[::4096])
    time.sleep(20)


def flood(_workspace: Path) -> None:
    while True:
        print("x" * 1000, file=sys.stderr)


def fill(workspace: Path) -> None:
    """Writes until the disk is full, and ends as casegate does then."""
    try:
        with (workspace / "filling").open("wb") as file:
            while True:
                file.write(b"x" * 65536)
                file.flush()
    except OSError as error:
        (workspace / "filling").unlink()
        print(f"internal error: OSError: {error}", file=sys.stderr)
        sys.exit(70)


STEPS = {
    each.__name__: each
    for each in (
        say,
        release,
        outcome,
        adopt,
        widen,
        leave,
        die,
        hang,
        ignore_sigterm,
        found_family,
        hold,
        flood,
        fill,
    )
}

if __name__ == "__main__":
    main()
