"""A real process that is killed before each change it would make to the disk, one after the other.

What a test says of "a crash at any instant" is then true of every place where the code touches a
file, and of places that a later version adds.
"""

import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink"}
SURVIVED = 99  # exit code of the process that was left alone


def killed_before_each_change(
    prepare: Callable[[], None], action: Callable[[], object]
) -> Iterator[int]:
    """Yields after each death, with the number of changes that were made before it.

    Each time, `prepare` makes the state anew, then a fork runs `action` and dies by SIGKILL before
    its next change. Ends when the action got through; that last time is not yielded.
    """
    made = 0
    while True:
        prepare()
        if not _dies(action, made):
            return
        yield made
        made += 1


def _dies(action: Callable[[], object], after: int) -> bool:
    child = os.fork()
    if child == 0:
        _act(action, after)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == SURVIVED, "the action failed in the child; see stderr"
    return False


def _act(action: Callable[[], object], after: int) -> None:
    left = after

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        opened_to_write = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
        if event in CHANGES or opened_to_write:
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    # What other tests left may wait, on its way out, for threads that a fork has not.
    gc.disable()
    try:
        sys.addaudithook(count)
        action()
        os._exit(SURVIVED)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
