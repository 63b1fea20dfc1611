import pytest


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here pulls a plug, and most of their time would be spent waiting for the disk."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
