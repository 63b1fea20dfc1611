from pipeline.feedback.endpoint import MOST_CLIENTS, RateLimit


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_as_many_pass_in_any_minute_as_are_allowed() -> None:
    clock = Clock()
    limit = RateLimit(2, clock)
    assert limit.wait_s("a") == 0
    clock.now += 50
    assert limit.wait_s("a") == 0
    clock.now += 5
    assert limit.wait_s("a") == 5  # 55 s after the first
    clock.now += 5
    assert limit.wait_s("a") == 0
    assert limit.wait_s("a") == 50


def test_who_is_refused_is_not_held_up_longer_for_asking() -> None:
    clock = Clock()
    limit = RateLimit(1, clock)
    limit.wait_s("a")
    for _ in range(100):
        limit.wait_s("a")
    clock.now += 60
    assert limit.wait_s("a") == 0


def test_one_client_does_not_hold_up_another() -> None:
    limit = RateLimit(1, Clock())
    assert [limit.wait_s("a"), limit.wait_s("b")] == [0, 0]
    assert limit.wait_s("a") > 0


def test_clients_without_number_take_no_memory_without_number() -> None:
    limit = RateLimit(1, Clock())
    for number in range(MOST_CLIENTS + 50):
        limit.wait_s(str(number))
    assert len(limit._passed) == MOST_CLIENTS
