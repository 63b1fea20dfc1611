"""Which worker of `pytest -n 2 --dist loadfile` runs what, so that all of them end together."""

import pytest
from xdist.scheduler import LoadFileScheduling

E2E = "tests/e2e"
LINEAGE = "tests/components/lineage"
# The longest first. What a group shares takes long to make: one worker runs it, and makes it once.
GROUPS = {
    "ten weeks": (f"{E2E}/test_ten_weeks.py",),
    "shipped policies": (f"{E2E}/test_shipped.py",),
    "one release": (
        *(f"{E2E}/test_release.py", f"{E2E}/test_governance.py", f"{E2E}/test_served.py"),
        *(f"{E2E}/test_reproduce.py", f"{E2E}/test_interrupted.py", f"{E2E}/test_retention.py"),
        *(f"{E2E}/test_times.py", f"{E2E}/test_engine.py", f"{E2E}/test_clients.py"),
        *(f"{E2E}/test_server.py", f"{E2E}/test_pacs.py"),
    ),
    "bad days": (f"{E2E}/test_unattended.py",),
    "filled workspace": (f"{E2E}/test_lineage.py",),
    "database servers": (
        *(f"{E2E}/test_server_run.py", f"{E2E}/test_shared_store.py"),
        *(f"{LINEAGE}/test_address.py", f"{LINEAGE}/test_backslashes.py"),
        *(f"{LINEAGE}/test_foreign_readers.py", f"{LINEAGE}/test_migrate.py"),
        *(f"{LINEAGE}/test_opening.py", f"{LINEAGE}/test_reader.py"),
        "tests/pipeline/commands/test_store.py",
    ),
}
GROUP_OF = {file: group for group, files in GROUPS.items() for file in files}
_RANKS = {group: rank for rank, group in enumerate(GROUPS)}


class LongestFirst(LoadFileScheduling):
    """The groups, then whatever else runs the whole pipeline, then the tests of modules."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return GROUP_OF.get(file, file)

    def _assign_work_unit(self, node: object) -> None:
        self.workqueue.move_to_end(min(self.workqueue, key=rank), last=False)
        super()._assign_work_unit(node)


def rank(scope: str) -> int:
    """The least is run first; among equals the one with the most tests, as pytest-xdist has it."""
    return _RANKS.get(scope, len(_RANKS) + (not scope.startswith(E2E)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LongestFirst | None:
    return LongestFirst(config, log) if config.option.dist == "loadfile" else None
