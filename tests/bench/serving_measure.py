"""What the embedded server costs beside the model that it serves, and what a swap costs clients."""

import io
import json
import math
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import psutil
from PIL import Image

from components.release.serving import versions
from components.scoring.served import ServedRequest, ask
from tests.bench.figures import Setting
from tests.bench.page import machine_lines, table
from tests.bench.processes import casegate, python, run_fresh
from tests.pipeline.serving.making import Ward
from tests.pipeline.serving.server import Server, instances, serving, wait_for

TEMPLATE = Path(__file__).with_name("serving.md.template")
SHARE, SLOWER, GROWTH = 0.8, 3.0, 1.05  # of the loop's images; than a call; of the memory
BATCH, CALLS, KINDS = 32, 200, 32  # images in a call of the loop; unbatched calls; pictures
SPREAD = {1: 64, 8: 12, 32: 4}  # images in a request: requests at once
# A client in a process of its own.
CLIENT = """
import asyncio, json, sys, time, grpc
from tests.pipeline.serving.server import prediction
address, folder, images, count, at_once, rate = json.loads(sys.argv[1])
from pathlib import Path
pictures = [path.read_bytes() for path in sorted(Path(folder).glob("*.png"))]
requests = [
    prediction(*(pictures[(n * images + i) % len(pictures)] for i in range(images)))
    for n in range(8)
]
async def main():
    took, numbers = [], iter(range(count))
    method = "/tensorflow.serving.PredictionService/Predict"
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_unary(method, type(requests[0]).SerializeToString)
        async def ask(number):
            start = time.perf_counter()
            await call(requests[number % 8], timeout=60)
            took.append(time.perf_counter() - start)
        await ask(0)
        took.clear()
        start = time.perf_counter()
        if rate:
            waiting = []
            for number in numbers:
                await asyncio.sleep(max(0, start + number / rate - time.perf_counter()))
                waiting.append(asyncio.ensure_future(ask(number)))
            await asyncio.gather(*waiting)
        else:
            async def ask_on():
                for number in numbers:
                    await ask(number)
            await asyncio.gather(*(ask_on() for _ in range(at_once)))
        return time.perf_counter() - start, sorted(took)
seconds, took = asyncio.run(main())
print(json.dumps([count * images / seconds, 1000 * took[int(0.99 * (len(took) - 1))]]))
"""

Say = Callable[[str], None]


@dataclass(frozen=True)
class ServingFigure:
    """Pictures of one side, in pixels.

    Attributes:
      loop: images a second, in calls of BATCH one after the other.
      served: images a second by the number of images in a request.
      call_ms, half_ms: 99th percentile of an unbatched call, and of an answer at half of what is
        served to requests of one image.
    """

    side: int
    loop: float
    served: dict[int, float]
    call_ms: float
    half_ms: float


@dataclass(frozen=True)
class ServingFigures:
    """Attributes:
    before_mib, after_mib: of server and model together, after a tenth of the requests and all.
    asked, failed: requests while versions were swapped.
    """

    sizes: tuple[ServingFigure, ...]
    requests: int
    before_mib: float
    after_mib: float
    swaps: int
    asked: int
    failed: int


def measured_serving(
    sides: Sequence[tuple[int, int]], requests: int, swaps: int, say: Say, *, data: str = "phantom"
) -> ServingFigures:
    """The figures.

    Args:
      sides: of pictures in pixels, each with how many images are asked for.
    """
    with tempfile.TemporaryDirectory(prefix="casegate-bench-") as name:
        root = Path(name)
        say("a release ...")
        run_fresh(casegate("run", "--data", data, "--workspace", str(root / "made")))
        made = root / "made" / "serving" / "pneumonia"
        model, other = made / str(versions(made)[-1]), root / "other"
        shutil.copytree(model, other)
        (other / "assets.extra" / "another").write_text("another model, as far as hashes say")
        ward = Ward(root)
        ward.release(7, model)
        ward.release(8, other)
        with serving(ward.root, "--set", "server.batch_size=64", pretended=False) as server:
            sizes = tuple(_size(root / str(s), s, n, model, server, say) for s, n in sides)
            say(f"{requests:,} requests ...")
            pictures = root / str(sides[0][0])
            _client(server, pictures, 1, requests // 10)
            before = _mib(server)
            _client(server, pictures, 1, requests - requests // 10)
            after = _mib(server)
            say(f"{swaps} swaps ...")
            asked, failed = _swap(ward, server, swaps, next(pictures.glob("*.png")).read_bytes())
    return ServingFigures(sizes, requests, before, after, swaps, asked, failed)


def _size(root: Path, side: int, images: int, model: Path, server: Server, say: Say) -> Any:
    say(f"{images:,} pictures of {side} pixels ...")
    pictures = _pictures(root, side)
    loops, served = list[float](), {each: list[float]() for each in SPREAD}
    for _ in range(3):  # in turns, since the machine is not always as fast
        loops.append(_loop(model, pictures, images))
        for each, rates in served.items():
            rates.append(_client(server, root, each, max(8, images // each))[0])
    found = {each: statistics.median(rates) for each, rates in served.items()}
    alone = [
        ServedRequest("serving_default", [pictures[n % KINDS]], alone=True) for n in range(CALLS)
    ]
    calls = [answer.milliseconds for _, answer in ask(model, alone)][CALLS // 10 :]
    half = _client(server, root, 1, max(100, images // 4), rate=found[1] / 2)[1]
    call = float(np.percentile(calls, 99))
    return ServingFigure(side, statistics.median(loops), found, call, half)


def _pictures(root: Path, side: int) -> list[bytes]:
    root.mkdir()
    rng, found = np.random.default_rng(side), []
    down, across = np.mgrid[:side, :side] / side
    for number in range(KINDS):
        waves = 110 + 60 * np.sin(5 * down + number) + 40 * np.cos(7 * across)
        grey = np.clip(waves + rng.normal(0, 4, (side, side)), 0, 255).astype(np.uint8)
        stream = io.BytesIO()
        Image.fromarray(grey).save(stream, "PNG")
        (root / f"{number:02}.png").write_bytes(stream.getvalue())
        found.append(stream.getvalue())
    return found


def _loop(model: Path, pictures: Sequence[bytes], images: int) -> float:
    """Images a second of the model alone; loading it and the first calls are not counted."""
    batch = [*pictures] * math.ceil(BATCH / KINDS)
    calls = max(4, images // BATCH)
    answers = ask(model, iter([ServedRequest("serving_default", batch[:BATCH])] * (calls + 2)))
    next(answers), next(answers)
    start = time.perf_counter()
    count = sum(len(answer.label) for _, answer in answers)
    return count / (time.perf_counter() - start)


def _client(
    server: Server, folder: Path, images: int, count: int, *, rate: float = 0
) -> tuple[float, float]:
    """Images a second, and the 99th percentile of an answer in milliseconds."""
    asked = json.dumps([server.address, str(folder), images, count, SPREAD[images], rate])
    done = subprocess.run(python("-c", CLIENT, asked), capture_output=True, check=True)
    found = json.loads(done.stdout)
    return found[0], found[1]


def _mib(server: Server) -> float:
    process = psutil.Process(server.process.pid)
    return sum(p.memory_info().rss for p in [process, *process.children()]) / 2**20


def _swap(ward: Ward, server: Server, swaps: int, image: bytes) -> tuple[int, int]:
    """How many requests were asked meanwhile, and how many of them got no answer."""
    ended, codes = threading.Event(), list[int]()

    def ask_on() -> None:
        while not ended.is_set():
            try:
                codes.append(server.ask(instances(image))[0])
            except OSError:
                codes.append(0)

    asking = [threading.Thread(target=ask_on) for _ in range(4)]
    for thread in asking:
        thread.start()
    for _ in range(swaps):
        newest = versions(ward.destination)
        new = ward.roll_back(to=newest[-2])
        wait_for(lambda new=new: server.version() == new, at_most_s=300)
        for old in newest[:-2]:
            shutil.rmtree(ward.destination / str(old))
    ended.set()
    for thread in asking:
        thread.join()
    return len(codes), sum(code != 200 for code in codes)


def section(found: ServingFigures, setting: Setting) -> str:
    """The section, its heading included."""
    rows, calls = [], []
    for one in found.sizes:
        best = max(one.served.values()) / one.loop
        rows.append(
            [
                f"{one.side}",
                f"{one.loop:,.0f}",
                *(f"{rate:,.0f} ({rate / one.loop:.2f} x)" for rate in one.served.values()),
                _held(best >= SHARE),
            ]
        )
        times = one.half_ms / one.call_ms
        calls.append(
            [
                f"{one.side}",
                f"{one.call_ms:.1f}",
                f"{one.half_ms:.1f}",
                f"{times:.1f} x",
                _held(times <= SLOWER),
            ]
        )
    grown = found.after_mib / found.before_mib
    images = [f"{each} in a request" for each in SPREAD]
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        setting=machine_lines(setting),
        rates=table(["side", "in a loop", *images, f"at least {SHARE:g}"], rows, texts=0),
        calls=table(
            ["side", "a call", "an answer", "answer over call", f"at most {SLOWER:g}"],
            calls,
            texts=0,
        ),
        requests=f"{found.requests:,}",
        before=f"{found.before_mib:,.0f}",
        after=f"{found.after_mib:,.0f}",
        grown=f"{grown:.2f} x, wanted at most {GROWTH:g}: {_held(grown <= GROWTH)}",
        swaps=f"{found.swaps:,}",
        asked=f"{found.asked:,}",
        failed=f"{found.failed:,}, wanted none: {_held(not found.failed)}",
    )


def _held(met: bool) -> str:
    return "**met**" if met else "**missed**"
