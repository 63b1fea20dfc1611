"""Trains the models that the gate is measured on, and keeps their scores.

    python -m tests.measure.collect --cache build/oc

What the cache holds already is not trained again, so an interrupted run goes on where it stopped;
another configuration, or other data, are. After a change of the network's own code delete it.
"""

import argparse
import functools
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from components.records.errors import CasegateError
from tests.measure.cache import Scored, inputs_of, load, place, save
from tests.measure.damage import SERVED
from tests.measure.jobs import DEFAULT_CACHE, HONEST, Job, all_jobs, pneumonia_path

if TYPE_CHECKING:
    from tests.measure.training import Split


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.measure.collect", description=__doc__)
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    try:
        collect(all_jobs(pneumonia_path()), chosen.cache, threads=chosen.threads)
    except CasegateError as error:
        sys.exit(f"{type(error).__name__}: {error}")


def collect(jobs: Sequence[Job], cache: Path, *, threads: int) -> None:
    """Trains every job that the cache lacks, then serves honest models wrong images."""
    _use_threads(threads)
    missing = [job for job in jobs if inputs_of(place(cache, job.folder, job.seed)) != _inputs(job)]
    print(f"{len(jobs)} models, {len(missing)} to train", flush=True)
    for number, job in enumerate(missing, 1):
        started = time.monotonic()
        _train(job, cache)
        seconds = time.monotonic() - started
        print(f"{number}/{len(missing)} {job.folder} seed {job.seed}: {seconds:.0f} s", flush=True)
    for job in jobs:
        if job.family == HONEST:
            _serve_wrongly(job, cache)


def _use_threads(count: int) -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)


@functools.lru_cache(maxsize=256)
def _inputs(job: Job) -> str:
    from tests.measure.training import inputs

    return inputs(job)


@functools.lru_cache(maxsize=2)
def _split(source: str, split: str) -> "Split":
    from tests.measure.training import model_config, read_split

    return read_split(source, split, model_config(source).image_size)


@functools.lru_cache(maxsize=2)
def _judged(source: str) -> "Split":
    """The case set does not depend on a phantom's options, so it is drawn once."""
    from tests.measure.training import model_config, read_split

    return read_split(source, "test", model_config(source).image_size)


def _train(job: Job, cache: Path) -> None:
    from tests.measure.training import scores_of, train

    training = _split(job.source, "train")
    network, point = train(job, training.records, _split(job.source, "tune").records)
    judged = _judged(job.source.partition(":")[0])
    scored = Scored(
        data=job.data,
        family=job.family,
        grade=job.grade,
        spec=job.source if job.data == "phantom" else job.data,
        inputs=_inputs(job),
        seed=job.seed,
        trained_on=training.values,
        case_ids=judged.ids,
        scores=scores_of(network, judged.records.pixels),
        operating_point=point,
        weights=network.get_weights(),
    )
    save(scored, place(cache, job.folder, job.seed))


def _serve_wrongly(job: Job, cache: Path) -> None:
    """The honest model's scores of the same cases after each wrong preprocessing."""
    wanted = {
        name: place(cache, f"{job.data}/served-wrongly-{name.replace(' ', '-')}", job.seed)
        for name in SERVED
    }
    if all(inputs_of(path) == _inputs(job) for path in wanted.values()):
        return
    from tests.measure.training import rebuilt, scores_of

    model = load(place(cache, job.folder, job.seed))
    network = rebuilt(job.source, list(model.weights))
    pixels = _judged(job.source).records.pixels
    for name, path in wanted.items():
        scored = Scored(
            data=job.data,
            family="served wrongly",
            grade=name,
            spec=model.spec,
            inputs=model.inputs,
            seed=job.seed,
            trained_on=model.trained_on,
            case_ids=model.case_ids,
            scores=scores_of(network, SERVED[name](pixels)),
            operating_point=model.operating_point,
        )
        save(scored, path)


if __name__ == "__main__":
    main()
