"""Who gains and who loses in a federation: pooled data, rounds, and each site alone.

    python -m tests.measure.federated --data phantom --seed 1 --to results.jsonl
    python -m tests.measure.federated --data pneumoniamnist.npz --seed 1 --to results.jsonl
    python -m tests.measure.federated --table results.jsonl

Rounds run in one process by the functions that sites and coordinator call; no Flower. What a file
of results has already is not computed again.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.federation.aggregating import Robust, aggregate
from components.federation.tuning import TuningCounts, choose_from_counts
from components.federation.updates import Update, check_update, distance
from components.metrics.auc import auc
from components.metrics.calls import sensitivity, specificity
from components.metrics.outputs import Outputs

TRAINED_ON = {"A": 800, "B": 400, "C": 400, "D": 400, "E": 200}  # training and tuning together
JUDGED_ON = 400  # locked cases of each of the phantom's sites
ALPHA, CUTS = 0.5, 4  # of the Dirichlet distribution, and how many sites it cuts real data into
LEAST = {"train": 20, "tune": 5, "test": 5}  # of each class at each site
EPOCHS, ROUNDS, PROXIMAL = 16, 8, 0.01
BATCH, PHANTOM_SIZE = 32, 32  # small, so that three seeds take minutes
METRICS = ("auc", "sensitivity", "specificity")
WITHOUT = "point without "  # the network of fedavg, at the operating point of the other sites


@dataclass(frozen=True)
class SiteData:
    """A site's prepared splits: pixels (n, size, size, 1) in [0, 1] and labels (n,)."""

    name: str
    splits: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]


def phantom_sites(size: int, seed: int) -> list[SiteData]:
    """The phantom's sites, with other training patients for each seed and the same locked cases."""
    return [
        SiteData(
            name,
            {
                split: _drawn(f"phantom:site={name},n={n},seed={seed}", split, size)
                for split in ("train", "tune", "test")
            },
        )
        for name, n in TRAINED_ON.items()
    ]


def _drawn(spec: str, split: str, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    import tensorflow as tf

    from components.phantom.source import PhantomSource
    from components.records.case import Shard
    from pipeline.model.preprocessing import decoded

    source, prepare = PhantomSource.parse(spec), tf.function(lambda image: decoded(image, size))
    shards = source.shards(split)
    stop = shards[0].start + JUDGED_ON if split == "test" else shards[-1].stop
    cases = list(source.read(Shard(split, shards[0].start, stop)))
    pixels = np.stack([prepare(tf.constant(case.image)).numpy() for case in cases])
    return pixels, np.array([case.label for case in cases], np.float32)


def cut_sites(path: Path, seed: int) -> list[SiteData]:
    """A MedMNIST .npz as sites of different prevalence."""
    with np.load(path, allow_pickle=False) as arrays:
        whole = {
            split: (
                arrays[f"{name}_images"][..., None].astype(np.float32) / 255.0,
                arrays[f"{name}_labels"][:, 0].astype(np.float32),
            )
            for split, name in (("train", "train"), ("tune", "val"), ("test", "test"))
        }
    rows = cut({split: labels for split, (_, labels) in whole.items()}, seed)
    return [
        SiteData(
            str(number + 1),
            {
                split: (whole[split][0][places], whole[split][1][places])
                for split, places in site.items()
            },
        )
        for number, site in enumerate(rows)
    ]


def cut(
    labels: Mapping[str, NDArray[Any]], seed: int, sites: int = CUTS, alpha: float = ALPHA
) -> list[dict[str, NDArray[np.int64]]]:
    """Rows of each split for each site: of each class, shares by Dirichlet(alpha), the same in all
    splits; drawn again until every site has LEAST of both classes."""
    rng = np.random.default_rng(seed)
    while True:
        shares = rng.dirichlet([alpha] * sites, size=2)
        found: list[dict[str, NDArray[np.int64]]] = [{} for _ in range(sites)]
        enough = True
        for split, given in labels.items():
            parts: list[list[NDArray[np.int64]]] = [[] for _ in range(sites)]
            for label in (0, 1):
                rows = rng.permutation(np.flatnonzero(given == label))
                ends = np.floor(np.cumsum(shares[label])[:-1] * rows.size + 0.5).astype(np.int64)
                for site, part in enumerate(np.split(rows, ends)):
                    parts[site].append(part)
                    enough &= part.size >= LEAST[split]
            for site, both in enumerate(parts):
                found[site][split] = np.sort(np.concatenate(both))
        if enough:
            return found


def pooled(sites: Sequence[SiteData]) -> SiteData:
    splits = {
        split: tuple(np.concatenate(each) for each in zip(*(site.splits[split] for site in sites)))
        for split in ("train", "tune", "test")
    }
    return SiteData("all", splits)  # type: ignore[arg-type]


def lying(update: Update, before: Mapping[str, NDArray[Any]], bound: float) -> Update:
    """The update turned round, and as long as the bound on the norm lets it be."""
    scale = 0.999 * bound / distance(update.weights, before)
    turned = {
        name: (start - scale * (update.weights[name] - start)).astype(start.dtype)
        for name, start in before.items()
    }
    return replace(update, weights=turned)


class Federation:
    """All trainings of one seed on the same sites."""

    def __init__(self, sites: Sequence[SiteData], config: str, seed: int) -> None:
        from tests.measure.training import held, model_config

        self.sites, self.seed = sites, seed
        self.counts: list[TuningCounts] = []
        self.model = replace(
            model_config(config),
            image_size=sites[0].splits["train"][0].shape[1],
            batch_size=BATCH,
            seed=seed,
            epochs=EPOCHS,
            patience=EPOCHS,
            least_tuning_positives=1,
        )
        self.held = {
            (site.name, split): held(*site.splits[split])
            for site in (*sites, pooled(sites))
            for split in ("train", "tune")
        }

    def alone(self, name: str) -> tuple[Any, float]:
        """The network and operating point of one site, or of all data together: `all`."""
        import keras

        from pipeline.model.trainer import fit

        keras.backend.clear_session()
        network, found = fit(self.model, self.held[name, "train"], self.held[name, "tune"])
        return network.model, found["operating_point"]

    def together(
        self, proximal: float = 0.0, *, robust: Robust = "none", liar: str | None = None
    ) -> tuple[Any, float]:
        """The network after all rounds, and the operating point of the sites' counts."""
        import keras
        import tensorflow as tf

        from pipeline.federation.local import (
            Rounds,
            count_tuning_scores,
            train_round,
            weights_by_name,
        )
        from pipeline.model.networks.building import build

        keras.backend.clear_session()
        keras.utils.set_random_seed(self.seed)
        network = build(self.model)
        rounds = Rounds(ROUNDS, EPOCHS // ROUNDS, proximal)
        weights = network.model.get_weights()
        tf.config.run_functions_eagerly(True)  # tracing a round's few steps takes longer than them
        for number in range(1, ROUNDS + 1):
            network.model.set_weights(weights)
            before = weights_by_name(network.model)
            updates = []
            for site in self.sites:
                records = self.held[site.name, "train"]
                trained, examples = train_round(
                    network,
                    records,
                    weights,
                    model=self.model,
                    rounds=rounds,
                    number=number,
                    seed=self.seed,
                )
                updates.append(Update(site.name, number, dict(zip(before, trained)), examples))
            bound = 3.0 * statistics.median(distance(each.weights, before) for each in updates)
            updates = [
                lying(each, before, bound) if each.site == liar else each for each in updates
            ]
            for each in updates:
                check_update(each, before, each.examples, bound, number=number)
            weights = aggregate(updates, weights, robust=robust)
        tf.config.run_functions_eagerly(False)
        network.model.set_weights(weights)
        self.counts = [
            count_tuning_scores(
                site.name, network.model, self.held[site.name, "tune"], batch_size=256
            )
            for site in self.sites
        ]
        return network.model, self.point(self.counts)

    def point(self, counts: Sequence[TuningCounts]) -> float:
        return choose_from_counts(counts, target_sensitivity=self.model.target_sensitivity)

    def points_without(self) -> dict[str, float]:
        """The points of the counts of all sites but one, after the last rounds."""
        return {
            f"{WITHOUT}{site.name}": self.point([c for c in self.counts if c.site != site.name])
            for site in self.sites
        }

    def judged(self, network: Any, point: float) -> dict[str, dict[str, float]]:
        """AUC, sensitivity and specificity on each site's test cases and on all."""
        found = {}
        for site in (*self.sites, pooled(self.sites)):
            pixels, labels = site.splits["test"]
            scores = network.predict(pixels, verbose=0)[:, 0].astype(np.float64)
            outputs = Outputs(labels == 1, scores, point)
            found[site.name] = {
                metric.__name__: metric(outputs, alpha=0.025).estimate
                for metric in (auc, sensitivity, specificity)
            }
        return found

    def trainings(
        self, *, with_liar: bool
    ) -> Iterator[tuple[str, Callable[[], tuple[Any, float]]]]:
        yield "fedavg", self.together
        yield "central", lambda: self.alone("all")
        for site in self.sites:
            yield f"alone {site.name}", lambda name=site.name: self.alone(name)
        yield "fedprox", lambda: self.together(PROXIMAL)
        if not with_liar:
            return
        liar = self.sites[0].name
        yield "lying mean", lambda: self.together(liar=liar)
        yield "lying trimmed_mean", lambda: self.together(robust="trimmed_mean", liar=liar)
        yield "lying median", lambda: self.together(robust="median", liar=liar)
        yield "honest trimmed_mean", lambda: self.together(robust="trimmed_mean")
        yield "honest median", lambda: self.together(robust="median")


def measure(data: str, seed: int, to: Path, *, with_liar: bool, only: Sequence[str] = ()) -> None:
    config = "phantom" if data == "phantom" else "pneumoniamnist.npz"
    sites = phantom_sites(PHANTOM_SIZE, seed) if data == "phantom" else cut_sites(Path(data), seed)
    federation = Federation(sites, config, seed)
    sizes = {
        site.name: [len(site.splits["train"][1]), float(site.splits["train"][1].mean())]
        for site in sites
    }
    done = {(row["data"], row["seed"], row["method"]) for row in read(to)}
    for method, train in federation.trainings(with_liar=with_liar):
        if (config, seed, method) in done or (only and method.split()[0] not in only):
            continue
        network, point = train()
        points = {method: point} | (federation.points_without() if method == "fedavg" else {})
        for name, at in points.items():
            row = {"data": config, "seed": seed, "method": name, "sizes": sizes}
            row["judged"] = federation.judged(network, at)
            with to.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(data, seed, name, row["judged"]["all"], flush=True)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def tables(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: what each method reaches at each site, what it gains there, and what a lie does."""
    return "\n".join(
        line for data in sorted({row["data"] for row in rows}) for line in _of(data, rows)
    )


def _of(data: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    found = {(row["method"], row["seed"]): row["judged"] for row in rows if row["data"] == data}
    seeds = sorted({seed for _, seed in found})
    first = next(row for row in rows if row["data"] == data)
    yield f"\n{data}, seeds {', '.join(map(str, seeds))}:\n"
    heads = ("site", "training images", "positive", "alone", "central", "fedavg", "fedprox")
    heads += ("fedavg - alone", "AUC better in")
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for site in first["sizes"]:
        sizes = [row["sizes"][site] for row in rows if row["data"] == data]
        count, share = (statistics.mean(each) for each in zip(*sizes))
        cells = [
            _triple([found[method, seed][site] for seed in seeds if (method, seed) in found])
            for method in (f"alone {site}", "central", "fedavg", "fedprox")
        ]
        pairs = [
            (found["fedavg", seed][site], found[f"alone {site}", seed][site])
            for seed in seeds
            if ("fedavg", seed) in found and (f"alone {site}", seed) in found
        ]
        gains = [[one[name] - other[name] for name in METRICS] for one, other in pairs]
        gain = " ".join(f"{statistics.mean(each):+.3f}" for each in zip(*gains))
        better = f"{sum(each[0] > 0 for each in gains)} of {len(gains)}"
        yield f"| {site} | {count:.0f} | {share:.2f} | {' | '.join(cells)} | {gain} | {better} |"
    without = [name for name in dict.fromkeys(m for m, _ in found) if name.startswith(WITHOUT)]
    if without:
        yield "\nBy fedavg, at the point of all sites' counts, and of all but one's:\n"
        yield f"| site | all | {' | '.join(without)} |"
        yield "|---" * (2 + len(without)) + "|"
        for site in first["sizes"]:
            each = [[found[m, s][site] for s in seeds if (m, s) in found] for m in without]
            paired = [found["fedavg", s][site] for s in seeds if (without[0], s) in found]
            yield f"| {site} | {' | '.join(_triple(rows) for rows in (paired, *each))} |"
    yield "\nOn the test cases of all sites:\n"
    yield "| method | AUC, sensitivity, specificity |"
    yield "|---|---|"
    for method in dict.fromkeys(method for method, _ in found):
        each = [found[method, seed]["all"] for seed in seeds if (method, seed) in found]
        yield f"| {method} ({len(each)} seeds) | {_triple(each)} |"


def _triple(judged: Sequence[Mapping[str, float]]) -> str:
    if not judged:
        return "-"
    return " ".join(f"{statistics.mean(each[name] for each in judged):.3f}" for name in METRICS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="phantom")
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--to", type=Path, default=Path("federated.jsonl"))
    parser.add_argument("--with-liar", action="store_true")
    parser.add_argument("--only", nargs="+", default=[], metavar="METHOD", help="by its first word")
    parser.add_argument("--table", type=Path)
    given = parser.parse_args()
    if given.table:
        print(tables(read(given.table)))
        return
    for seed in given.seed:
        measure(given.data, seed, given.to, with_liar=given.with_liar, only=given.only)


if __name__ == "__main__":
    main()
