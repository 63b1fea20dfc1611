"""How much of a model's heat lies in the lesions, on cases whose lesions the phantom knows."""

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.baselines.scores import Attention
from components.phantom.source import PhantomSource
from components.records.errors import Unservable
from components.scoring.score import read_batches
from components.scoring.served import EXPLAIN, ServedRequest, ask

AT_ONCE = 32  # images: of a large network's features more may not fit the memory


def ask_attention(model: Path, records: Sequence[str], phantom: PhantomSource) -> Attention:
    """Asks for maps of the records that show a lesion, in the loader that serves the model.

    Returns:
      No share where the model gives no map or cannot be served, which another check says.
    """
    shares: dict[str, tuple[float | None, float]] = {}
    waiting: deque[tuple[list[str], NDArray[np.bool_]]] = deque()

    def requests() -> Iterator[ServedRequest]:
        for ids, _, images, _ in read_batches(records):
            places = phantom.lesions(ids)
            ill = np.flatnonzero(places.any(axis=(1, 2)))
            for rows in (ill[at : at + AT_ONCE] for at in range(0, len(ill), AT_ONCE)):
                waiting.append(([ids[i] for i in rows], places[rows]))
                yield ServedRequest(EXPLAIN, [images[i] for i in rows])

    try:
        for _, answer in ask(model, requests()):
            ids, places = waiting.popleft()
            if not answer.label.size:
                return Attention({})
            heat, area = shares_of(answer.heatmap, places)
            for id_, share, lesion in zip(ids, heat.round(6).tolist(), area.round(6).tolist()):
                shares[id_] = (None if np.isnan(share) else share, lesion)
    except Unservable:
        return Attention({})
    return Attention(shares)


def shares_of(
    maps: NDArray[np.float32], places: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The shares of the heat and of the area inside the lesions, each (n,).

    Args:
      maps: (n, h, w); the share of one that is 0 all over is NaN.
      places: of the lesions, at any size.
    """
    from PIL import Image

    size, box = (maps.shape[2], maps.shape[1]), Image.Resampling.BOX
    pictures = (Image.fromarray(place.astype(np.float32)) for place in places)
    covered = np.array([picture.resize(size, box) for picture in pictures]).reshape(maps.shape)
    total = maps.sum(axis=(1, 2), dtype=np.float64)
    inside = (maps * covered).sum(axis=(1, 2), dtype=np.float64)
    heat = np.divide(inside, total, out=np.full(len(maps), np.nan), where=total > 0)
    return heat, covered.mean(axis=(1, 2), dtype=np.float64)
