"""What a network could learn instead of the disease: how pictures were made, where it goes with the
label or with the split.

All positives from one detector, a mark in one corner, a class that somebody resized: a model
trained on it is right on every case that was made alike, and wrong in every other hospital. Disease
changes brightness, too, so an association counts from a stated size on, not by its significance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.admission.columns import CaseColumns
from components.statistics.multiplicity import holm

MOST_VALUES = 50  # of an attribute; with more it names cases, and parts them by itself
FEW_VALUES = 8  # a figure with no more is compared as a category: 8 and 12 bits, three sizes
FEWEST = 20  # cases in each group
GROUPS = ("label", "tune", "test")

Column = NDArray[Any]
Texts = NDArray[np.str_] | None


@dataclass(frozen=True)
class Association:
    """A feature that goes with the label, or with one split against train.

    Attributes:
      group: "label", or the split that is held against train.
      measure: "rank-biserial" of figures, "Cramér's V" of categories.
      effect: in [-1, 1]; above 0 where positives, or the other split, have more of it.
      p: two-sided, adjusted by Holm's method.
      detail: what the two groups have.
    """

    feature: str
    group: str
    measure: str
    effect: float
    detail: str
    p: float
    found: bool

    @property
    def words(self) -> str:
        other = "the label" if self.group == "label" else f"the split: {self.group} against train"
        p = "p < 0.0001" if self.p < 0.0001 else f"p {self.p:.4f}"
        return (
            f"{self.feature} goes with {other}: {self.measure} {self.effect:.2f}, {p}; "
            f"{self.detail}"
        )

    def document(self) -> dict[str, Any]:
        return asdict(self)


def find_associations(
    columns: CaseColumns, *, effect: float, alpha: float, ignore: Sequence[str] = ()
) -> list[Association]:
    """Every feature against the label in train, and against the split; the strongest first.

    A feature that all cases share, or an attribute of more than MOST_VALUES, is left out.

    Args:
      effect, alpha: from which size on, and up to which adjusted p value, one is `found`.
      ignore: names of features that are left out.
    """
    measured = []
    for group, of, among in _groups(columns):
        if min(of[among].sum(), (~of[among]).sum()) < FEWEST:
            continue
        for name, column, texts in _features(columns, ignore):
            if one := _measure(column[among], texts, of[among], group):
                measured.append((name, group, *one))
    adjusted = holm([row[-1] for row in measured]).tolist()
    found = [
        Association(*row, p=p, found=abs(row[3]) >= effect and p <= alpha)
        for row, p in zip((row[:-1] for row in measured), adjusted)
    ]
    return sorted(found, key=lambda one: (-abs(one.effect), one.feature, one.group))


def _groups(columns: CaseColumns) -> Iterator[tuple[str, NDArray[np.bool_], NDArray[np.bool_]]]:
    """Name, who is in the second group, and who is in either."""
    train = columns.in_split("train")
    yield "label", columns.labels, train
    for split in GROUPS[1:]:
        of = columns.in_split(split)
        yield split, of, of | train


def _features(columns: CaseColumns, ignore: Sequence[str]) -> Iterator[tuple[str, Column, Texts]]:
    """Name, values, and the texts that they are places in; None for figures."""
    yield from ((n, c, columns.texts) for n, c in columns.attributes.items() if n not in ignore)
    yield from ((n, c, None) for n, c in columns.figures.items() if n not in ignore)


def _measure(
    column: Column, texts: Texts, of: NDArray[np.bool_], group: str
) -> tuple[str, float, str, float] | None:
    """Measure, effect, detail and p; None where there is nothing to compare."""
    values, codes = np.unique(column, return_inverse=True)
    words = ("negatives", "positives") if group == "label" else ("train", group)
    if len(values) < 2 or (texts is not None and len(values) > MOST_VALUES):
        return None
    if texts is None and len(values) > FEW_VALUES:
        return _ranked(column, of, words)
    named = [f"{value:g}" for value in values] if texts is None else texts[values].tolist()
    return _counted(named, codes, of, words)


def _ranked(
    column: NDArray[np.float64], of: NDArray[np.bool_], words: tuple[str, str]
) -> tuple[str, float, str, float]:
    """Mann and Whitney (1947), Annals of Mathematical Statistics 18:50-60, corrected for ties."""
    from scipy.stats import mannwhitneyu

    one, other = column[of], column[~of]
    test = mannwhitneyu(one, other, method="asymptotic", use_continuity=False)
    effect = 2 * float(test.statistic) / (len(one) * len(other)) - 1
    detail = f"medians {np.median(one):.4g} of {words[1]}, {np.median(other):.4g} of {words[0]}"
    return "rank-biserial", effect, detail, float(test.pvalue)


def _counted(
    values: Sequence[str], codes: NDArray[np.int64], of: NDArray[np.bool_], words: tuple[str, str]
) -> tuple[str, float, str, float]:
    """Cramér's V, corrected for its bias in small samples.

    Source: Bergsma (2013), Journal of the Korean Statistical Society 42:323-328.
    """
    from scipy.stats import chi2_contingency

    table = np.stack([np.bincount(codes[side], minlength=len(values)) for side in (~of, of)])
    statistic, p = chi2_contingency(table, correction=False)[:2]
    n, k = int(table.sum()), len(values)
    square = max(0.0, float(statistic) / n - (k - 1) / (n - 1))
    across = min(2 - 1 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    effect = min(1.0, float(square / across) ** 0.5) if across > 0 else 0.0
    shares = table / table.sum(axis=1, keepdims=True)
    most = int((shares[1] - shares[0]).argmax())
    theirs, ours = shares[:, most]
    detail = f"'{values[most]}' in {ours:.0%} of {words[1]}, {theirs:.0%} of {words[0]}"
    return "Cramér's V", effect, detail, float(p)
