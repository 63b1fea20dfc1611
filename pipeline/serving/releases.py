"""Keeps the version that may be served loaded, and takes up another one where that has changed.

What is not vouched for is refused, and the version before goes on; unless that one was rolled back.
A version that goes is closed when its last request is answered.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from logging import ERROR, INFO
from typing import Any

from components.records.text import brief
from components.release.serving import versions
from pipeline.serving.batching import Batcher
from pipeline.serving.journal import note
from pipeline.serving.messages import read_signatures
from pipeline.serving.vouched import (
    VouchedRelease,
    load_vouched,
    release_state,
    rolled_back,
    vouch,
)
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace

LOOK_S = 0.2
AGAIN_S = 10.0  # after a refusal whose reason may be outside of what `release_state` sees
GRACE_S = 1.5  # a rollback is on record shortly before its version is there


@dataclass(frozen=True, eq=False)
class LoadedRelease:
    """A version and what answers by it.

    Attributes:
      signatures: SignatureDefs by name.
    """

    release: VouchedRelease
    batcher: Batcher
    signatures: Mapping[str, Any]


class Releases:
    """For one event loop.

    Args:
      observe: is told the size of each batch.

    Attributes:
      current: what is served; None before the first version, or where it was taken back.
      refused: why the newest version is not served; empty where it is.
      swaps, refusals: counted.
    """

    def __init__(
        self, config: Config, workspace: Workspace, observe: Callable[[int], None] = lambda _: None
    ) -> None:
        self._config, self._workspace, self._observe = config, workspace, observe
        self.current: LoadedRelease | None = None
        self.refused, self.newest = "nothing was looked for yet", 0
        self.swaps = self.refusals = 0
        self._state: object = None
        self._again = self._taken_back = 0.0
        self._closing: set[asyncio.Task[None]] = set()

    async def watch(self) -> None:
        """Looks for ever."""
        while True:
            try:
                await self.look()
            except Exception as error:
                note(ERROR, "what may be served cannot be seen", why=brief(error))
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Takes up what may be served now, if that has changed."""
        try:
            state = await asyncio.to_thread(release_state, self._config, self._workspace)
            if state == self._state and not (self.refused and time.monotonic() > self._again):
                return
            self._state = state
            release = await asyncio.to_thread(vouch, self._config, self._workspace)
            if self.current is None or self.current.release != release:
                self._take_up(await self._loaded(release))
            self.refused, self.newest, self._taken_back = "", release.version, 0.0
        except Exception as error:  # whatever it is, the version before goes on
            await self._refuse(brief(error))

    async def close(self) -> None:
        """Returns when all requests are answered, and no process is left."""
        self._retire()
        while self._closing:
            await asyncio.wait(self._closing)

    async def _loaded(self, release: VouchedRelease) -> LoadedRelease:
        load = partial(load_vouched, release)
        model = await asyncio.to_thread(load)
        signatures = await asyncio.to_thread(read_signatures, release.folder)
        batcher = Batcher(model, load, self._config.server, self._observe)
        return LoadedRelease(release, batcher, signatures)

    def _take_up(self, loaded: LoadedRelease) -> None:
        self._retire()
        self.current, self.swaps, release = loaded, self.swaps + 1, loaded.release
        note(INFO, "version taken up", version=release.version, sha256=release.sha256)

    def _retire(self) -> None:
        """What is served takes no new request; it goes when the last one is answered."""
        if self.current is not None:
            task = asyncio.get_running_loop().create_task(self.current.batcher.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        self.current = None

    async def _refuse(self, why: str) -> None:
        serving = self._config.serving
        there = versions(self._workspace.destination(serving.model_name, serving.directory))
        before, self.refused = (self.refused, self.newest), why
        self.newest, self._again = max(there, default=0), time.monotonic() + AGAIN_S
        if before != (why, self.newest):
            self.refusals += 1
            note(ERROR, "version refused", version=self.newest, why=why)
        if self.current is None:
            return
        sha256 = self.current.release.sha256
        taken_back = await asyncio.to_thread(rolled_back, self._workspace, sha256)
        if taken_back is None:
            self._taken_back = 0.0
        elif not self._taken_back:
            self._taken_back = self._again = time.monotonic() + GRACE_S
        elif time.monotonic() >= self._taken_back:
            note(ERROR, "version taken out of service", why=taken_back)
            self._retire()
