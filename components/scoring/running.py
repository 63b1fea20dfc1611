"""A model that stays loaded, in a process of its own, and is asked by whoever has a request.

`served.ask` starts the process for one series of requests; what serves a ward needs it for weeks,
for requests that come from several threads, and has to know when it is gone.
"""

import contextlib
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue

from components.records.errors import Unservable
from components.scoring.served import (
    ServedAnswer,
    ServedRequest,
    ending_of,
    read_answer,
    read_head,
    spell_request,
    start_program,
)

Answer = Future[ServedAnswer]


class ModelDied(Unservable):
    """The process that held the model ended before it answered; another request may be why."""


class RunningModel:
    """One SavedModel, loaded and warm; any thread may ask, and none waits but for an answer.

    Args:
      model: the SavedModel's folder; it is not read again after this.
      warm_with: requests that are answered before it counts as loaded: a first one takes long.
      strict: as in `start_program`.
      ended: told once, from a thread of this object, when the process ends without `close`; its
        words are why.

    Raises:
      Unservable: it cannot be loaded, or does not answer `warm_with`.
    """

    def __init__(
        self,
        model: Path,
        *,
        warm_with: Sequence[ServedRequest] = (),
        strict: bool = False,
        ended: Callable[[str], None] = lambda why: None,
    ) -> None:
        self.model, self.ended = model, ended
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._process = start_program(model, self._words, strict=strict)
        self._sending: SimpleQueue[tuple[ServedRequest, Answer] | None] = SimpleQueue()
        self._waiting: deque[Answer] = deque()  # sent, or about to be, in their order
        self._lock = threading.Lock()
        self._closing, self.fault = False, ""
        assert self._process.stdout  # a pipe, as asked for
        head = read_head(self._process.stdout)
        if head is None or head["fault"]:
            self._process.kill()
            why = head["fault"] if head else self._ending()
            raise Unservable(f"{model}: {why}")
        self.head, self.loader = head, str(head["loader"])
        self._threads = [
            threading.Thread(target=work, name=f"model-{work.__name__.strip('_')}", daemon=True)
            for work in (self._send, self._receive)
        ]
        for thread in self._threads:
            thread.start()
        try:
            for request in warm_with:
                self.ask(request).result()
        except Unservable:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, request: ServedRequest) -> Answer:
        """The answer, as a future that one of this object's threads fulfils.

        It never blocks, and holds the inputs until they are sent; who asks bounds how many wait. A
        request that was sent cannot be cancelled; its answer is then thrown away.

        The future raises:
          Unservable: the model refused this request, and serves on.
          ModelDied: the process ended, or `close` was called, before the answer came.
        """
        answer: Answer = Future()
        with self._lock:
            if self.fault or self._closing:
                answer.set_exception(ModelDied(f"{self.model}: {self.fault or 'it was closed'}"))
            else:
                self._waiting.append(answer)
                self._sending.put((request, answer))
        return answer

    def close(self, timeout_s: float = 30) -> None:
        """Takes no further request, and returns when the last one is answered and the process gone.

        Args:
          timeout_s: after which the process is ended, whatever it still owes.
        """
        with self._lock:
            if not self._closing:
                self._closing = True
                self._sending.put(None)
        with contextlib.suppress(Exception):
            self._process.wait(timeout_s)
        self._process.kill()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stream:
            while (item := self._sending.get()) is not None:
                stream.write(spell_request(item[0]))
                stream.flush()
                del item  # the pictures in it

    def _receive(self) -> None:
        assert self._process.stdout
        with contextlib.suppress(Exception):  # of half an answer: the process is gone
            while head := read_head(self._process.stdout):
                found = read_answer(self._process.stdout, head, self.loader)
                if len(found.label) < head["count"]:
                    break
                answer = self._waiting.popleft()
                if not answer.set_running_or_notify_cancel():
                    continue
                if head["fault"]:
                    answer.set_exception(Unservable(f"{self.model}: {head['fault']}"))
                else:
                    answer.set_result(found)
        self._process.kill()  # it may live on with its output closed
        why = self._ending()
        with self._lock:
            unexpected = not self._closing
            self.fault = why
            self._sending.put(None)
        while self._waiting:
            answer = self._waiting.popleft()
            if answer.set_running_or_notify_cancel():
                answer.set_exception(ModelDied(f"{self.model}: {why}"))
        self._words.close()
        if unexpected:
            self.ended(why)

    def _ending(self) -> str:
        return f"the process that served it {ending_of(self._process.wait(), self._words)}"
