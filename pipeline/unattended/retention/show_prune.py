"""What was pruned, for a person: by run, with sizes, and why the rest stays."""

from collections import defaultdict
from collections.abc import Iterator

from components.records.text import one_line
from pipeline.unattended.retention import Pruned

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def lines(found: Pruned) -> Iterator[str]:
    """The answer, line by line."""
    yield from _removed(found)
    for run_id, why in sorted(found.kept.items()):
        yield f"stays: run {run_id}: {one_line(why)}"
    for name in found.unknown:
        yield f"stays: {one_line(name)}: no run's record knows it, or a link is in it"


def size(count: int) -> str:
    """Bytes in a unit that leaves at most three digits before the point."""
    amount, unit = float(count), 0
    while amount >= 999.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.0f} {_UNITS[0]}" if unit == 0 else f"{amount:.3g} {_UNITS[unit]}"


def _removed(found: Pruned) -> Iterator[str]:
    if not found.removed:
        yield "nothing to remove"
        return
    total = f"{len(found.removed)} folders and logs, {found.files} files, {size(found.bytes)}"
    yield f"would go: {total}" if found.dry_run else f"removed: {total}; entry {found.entry}"
    by_run: defaultdict[str, list[int]] = defaultdict(list)
    for one in found.removed:
        by_run[f"run {one.run_id}" if one.run_id else "leftovers and logs"].append(one.bytes)
    for name, sizes in sorted(by_run.items()):
        yield f"  {name}: {len(sizes)}, {size(sum(sizes))}"
    if found.dry_run:
        for one in sorted(found.removed, key=lambda one: -one.bytes):
            yield f"  {size(one.bytes):>10}  {one_line(one.path)}"
