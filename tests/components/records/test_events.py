import pytest

from components.records.events import Event, listen, publish


def test_a_listener_hears_everything_while_it_listens() -> None:
    heard: list[Event] = []
    publish("started", "before")
    with listen(heard.append):
        publish("started", "Trainer")
        publish("progress", detail="epoch 1/3", done=1, total=3)
    publish("finished", "after")
    assert heard == [
        Event("started", "Trainer"),
        Event("progress", detail="epoch 1/3", values={"done": 1, "total": 3}),
    ]


def test_two_listeners_hear_the_same() -> None:
    first: list[Event] = []
    second: list[Event] = []
    with listen(first.append):
        with listen(second.append):
            publish("started", "a")
        publish("started", "b")
    assert [event.component for event in first] == ["a", "b"]
    assert [event.component for event in second] == ["a"]


def test_nobody_listens_any_more_after_a_failure() -> None:
    heard: list[Event] = []
    with pytest.raises(RuntimeError), listen(heard.append):
        raise RuntimeError
    publish("started", "a")
    assert heard == []
