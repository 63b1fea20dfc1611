"""Which version is served from one look to the next."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from components.scoring import served
from pipeline.serving import releases as module
from pipeline.serving import vouched as vouching
from pipeline.serving.releases import Releases
from tests.components.scoring import pretending
from tests.pipeline.serving.making import Ward
from tests.pipeline.serving.test_server import model, second  # noqa: F401 - a fixture

pytestmark = pytest.mark.process


@pytest.fixture
def ward(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ward:  # noqa: F811
    monkeypatch.setattr(served, "PROGRAM", Path(pretending.__file__))
    made = Ward(tmp_path)
    made.release(7, model)
    return made


def looking(ward: Ward, work: Callable[[Releases], Awaitable[None]]) -> None:
    async def run() -> None:
        releases = Releases(ward.config(), ward.workspace)
        try:
            await work(releases)
        finally:
            await releases.close()

    asyncio.run(run())


def version(releases: Releases) -> int:
    return releases.current.release.version if releases.current else 0


def test_what_is_on_record_before_it_is_there_takes_nothing_out_of_service(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback's entry comes before its folder; a look in between has to wait, each time."""
    monkeypatch.setattr(module, "GRACE_S", 0.0)
    newest = second(ward)
    away = ward.root / "away"

    async def work(releases: Releases) -> None:
        await releases.look()
        before = version(releases)
        assert before == newest
        for to in (7, newest):
            new = ward.roll_back(to=to)
            (ward.destination / str(new)).rename(away)
            await releases.look()
            assert version(releases) == before and "rolled back" in releases.refused
            away.rename(ward.destination / str(new))
            await releases.look()
            assert (version(releases), releases.refused) == (new, "")
            before = new

    looking(ward, work)


def test_what_stays_away_takes_it_out_of_service(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.0)
    second(ward)

    async def work(releases: Releases) -> None:
        await releases.look()
        (ward.destination / str(ward.roll_back(to=7))).rename(ward.root / "away")
        await releases.look()
        assert version(releases) != 0
        await asyncio.sleep(0.01)
        await releases.look()
        assert version(releases) == 0 and releases.refused

    looking(ward, work)


def test_nothing_is_hashed_while_nothing_changes(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    vouched = []
    vouch = module.vouch
    monkeypatch.setattr(module, "vouch", lambda *given: vouched.append(given) or vouch(*given))

    async def work(releases: Releases) -> None:
        for _ in range(5):
            await releases.look()
        assert len(vouched) == 1
        second(ward)
        await releases.look()
        assert (len(vouched), releases.swaps) == (2, 2)

    looking(ward, work)


def test_a_model_that_is_altered_while_it_is_loaded_is_refused(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    def probing() -> list[served.ServedRequest]:
        (ward.destination / "7" / "saved_model.pb").write_bytes(b"of somebody else")
        return []

    monkeypatch.setattr(vouching, "probing", probing)

    async def work(releases: Releases) -> None:
        await releases.look()
        assert version(releases) == 0 and "altered while" in releases.refused

    looking(ward, work)
