"""Requests that come at once, given to the model together, and what becomes of them if it dies.

One of them may be what it died of. So each request of a batch that was lost is asked again, alone:
the others lose time, and only that one its answer.
"""

import asyncio
import os
import signal
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from logging import ERROR
from typing import Any

from components.records.errors import CasegateError
from components.records.text import brief
from components.scoring.running import ModelDied, RunningModel
from components.scoring.served import ServedAnswer, ServedRequest
from pipeline.serving.journal import note
from pipeline.serving.refused import Refused, Status
from pipeline.settings.sections import ServerConfig

IN_FLIGHT = 2  # batches: one is computed while the next is read
HUNG_S = 120.0  # without an answer, after which a model counts as hung
LONGEST_PAUSE_S = 30.0  # between tries to load a model again


@dataclass(eq=False)
class _Asked:
    signature: str
    inputs: Sequence[bytes]
    pixels: int
    since: float
    answer: "asyncio.Future[ServedAnswer]"

    def refuse(self, words: str) -> None:
        if not self.answer.done():  # else nobody waits any more
            self.answer.set_exception(Refused(words, Status.INTERNAL))


class Batcher:
    """Asks one model, of which it starts another process where one died. For one event loop.

    Args:
      load: loads the model again; called in another thread.
      observe: is told the size of each batch.

    Attributes:
      waiting: images in the queue.
      restarts: processes that were started after the first.
    """

    def __init__(
        self,
        model: RunningModel,
        load: Callable[[], RunningModel],
        config: ServerConfig,
        observe: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._model, self._load, self._config, self._observe = model, load, config, observe
        self._queues: dict[str, deque[_Asked]] = {}
        self.waiting = self.restarts = self._in_flight = 0
        self._suspects: list[_Asked] = []
        self._loading = asyncio.Lock()
        self._loop, self._tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        model.ended = self._died

    async def ask(
        self, signature: str, inputs: Sequence[bytes], *, pixels: int, timeout_s: float
    ) -> ServedAnswer:
        """The answer to one request; a label of -1 is of an input that the model cannot read.

        Args:
          pixels: of all inputs together.

        Raises:
          Refused: too much is waiting already, time is up, or the model died of this.
        """
        if self.waiting + len(inputs) > self._config.queue:
            words = f"{self.waiting} images are waiting already"
            raise Refused(words, Status.RESOURCE_EXHAUSTED)
        answer = self._loop.create_future()
        asked = _Asked(signature, inputs, pixels, self._loop.time(), answer)
        self._queues.setdefault(signature, deque()).append(asked)
        self.waiting += len(inputs)
        self._pump()
        try:
            return await asyncio.wait_for(answer, timeout_s)
        except asyncio.TimeoutError:
            raise Refused("there was no answer in time", Status.DEADLINE_EXCEEDED) from None

    async def close(self) -> None:
        """Returns when all that was asked is answered and the process gone."""
        while self.waiting or self._in_flight or self._suspects:
            await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()  # at most a process that is started again
        await asyncio.to_thread(self._model.close)

    def _died(self, why: str) -> None:
        note(ERROR, "the model's process ended", why=why)
        self._loop.call_soon_threadsafe(self._start, self._living())

    def _start(self, work: Coroutine[Any, Any, Any]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _pump(self) -> None:
        while self._in_flight < IN_FLIGHT and not self._suspects and (batch := self._next()):
            self._in_flight += 1
            self._start(self._run(batch))

    def _next(self) -> list[_Asked]:
        """The batch that is to go now: of the requests for one signature, the oldest."""
        queue = min(filter(None, self._queues.values()), key=lambda q: q[0].since, default=None)
        if queue is None:
            return []
        rest = queue[0].since + self._config.batch_delay_ms / 1000 - self._loop.time()
        enough = sum(len(asked.inputs) for asked in queue) >= self._config.batch_size
        if self._in_flight and not enough and rest > 0:
            self._loop.call_later(rest, self._pump)
            return []
        batch: list[_Asked] = []
        images = pixels = 0
        while queue and (not batch or self._fits(images, pixels, queue[0])):
            asked = queue.popleft()
            self.waiting -= len(asked.inputs)
            if not asked.answer.done():
                batch.append(asked)
                images, pixels = images + len(asked.inputs), pixels + asked.pixels
        return batch or self._next()

    def _fits(self, images: int, pixels: int, asked: _Asked) -> bool:
        small = images + len(asked.inputs) <= self._config.batch_size
        return small and pixels + asked.pixels <= self._config.max_pixels

    async def _run(self, batch: list[_Asked]) -> None:
        if not await self._answered(batch):
            self._suspects += batch
        if self._suspects and self._in_flight == 1:
            while self._suspects:
                if not await self._answered(self._suspects[:1]):
                    self._suspects[0].refuse("the model's process ended on this request")
                del self._suspects[0]
        self._in_flight -= 1
        self._pump()

    async def _answered(self, batch: list[_Asked]) -> bool:
        """Whether each request got its part; none did where the process died."""
        inputs = [content for asked in batch for content in asked.inputs]
        model = await self._living()
        self._observe(len(inputs))
        request = ServedRequest(batch[0].signature, inputs, spared=True)
        try:
            found = await asyncio.wait_for(asyncio.wrap_future(model.ask(request)), HUNG_S)
        except ModelDied:
            return False
        except asyncio.TimeoutError:
            with suppress(ProcessLookupError):
                os.kill(model.pid, signal.SIGKILL)
            return False
        except Exception as error:
            note(ERROR, "the model refused a batch", why=brief(error))
            for asked in batch:
                asked.refuse("the model refused this")
            return True
        start = 0
        for asked in batch:
            part = slice(start, start := start + len(asked.inputs))
            if not asked.answer.done():
                asked.answer.set_result(_part(found, part))
        return True

    async def _living(self) -> RunningModel:
        """The model, loaded again where its process ended; tries until it can be."""
        pause = 0.5
        async with self._loading:
            while self._model.fault:
                try:
                    self._model = await asyncio.to_thread(self._load)
                    self._model.ended = self._died
                    self.restarts += 1
                except CasegateError as error:
                    note(ERROR, "the model cannot be loaded again", why=str(error))
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE_S)
        return self._model


def _part(found: ServedAnswer, part: slice) -> ServedAnswer:
    probability, label, heatmap = (
        column[part] for column in (found.probability, found.label, found.heatmap)
    )
    return replace(found, probability=probability, label=label, heatmap=heatmap)
