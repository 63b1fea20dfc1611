"""Becomes another program that dies with the process that started it, however that one ends.

Started as a script, by path. A supervisor that is killed can clean up nothing, and a run that
nobody watches any more must not go on to release; so the kernel is asked to kill it (Linux only).
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, program, *arguments = sys.argv[1:]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it died before the kernel was asked
        os.kill(os.getpid(), signal.SIGKILL)
    os.execv(program, [program, *arguments])  # noqa: S606 - a list of arguments, no shell


if __name__ == "__main__":
    main()
