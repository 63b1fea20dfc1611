import threading
from dataclasses import dataclass, field

from components.notify.delivery import Delivery, Failure, deliver
from components.notify.notice import Notice
from components.notify.webhook import Webhook
from tests.components.notify.serving import SECRET, notice, receiving


@dataclass
class Scripted:
    outcomes: list[Failure | Exception | None]
    ids: list[str] = field(default_factory=list)
    name: str = "webhook"
    where: str = "here"

    def deliver(self, told: Notice) -> Failure | None:
        self.ids.append(told.delivery)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


LATER, NEVER = Failure("busy"), Failure("unknown", again=False)


def tried(*outcomes: Failure | Exception | None) -> tuple[Delivery, list[float], Scripted]:
    channel, pauses = Scripted(list(outcomes)), list[float]()
    return deliver(channel, notice(), retries=3, sleep=pauses.append), pauses, channel


def test_a_server_that_fails_twice_gets_the_same_notice_three_times() -> None:
    told, pauses = notice(), list[float]()
    with receiving([503, 500, 200]) as receiver:
        found = deliver(Webhook(receiver.url, SECRET), told, retries=3, sleep=pauses.append)
    assert found.state == "sent"
    assert [reason.rpartition(" ")[2] for reason in found.reasons] == ["503", "500"]
    assert pauses == [1, 2]
    assert {got.headers["X-Casegate-Delivery"] for got in receiver.received} == {told.delivery}
    assert {got.body for got in receiver.received} == {told.body()}
    assert len(receiver.received) == 3


def test_after_the_last_retry_it_has_failed() -> None:
    found, pauses, channel = tried(LATER, LATER, LATER, LATER, None)
    assert (found.state, found.reasons) == ("failed", ("busy",) * 4)
    assert pauses == [1, 2, 4]
    assert len(channel.ids) == 4


def test_a_final_refusal_is_not_tried_again() -> None:
    found, pauses, _ = tried(LATER, NEVER, None)
    assert found.reasons == ("busy", "unknown")
    assert pauses == [1]


def test_whatever_is_raised_is_a_failure_without_its_words() -> None:
    found, _, _ = tried(RuntimeError("the token is 123"))
    assert (found.state, found.reasons) == ("failed", ("webhook: RuntimeError",))


def test_pauses_do_not_grow_for_ever() -> None:
    pauses: list[float] = []
    deliver(Scripted([LATER] * 11), notice(), retries=10, sleep=pauses.append)
    assert max(pauses) == 60


def test_a_try_that_does_not_end_is_left_behind() -> None:
    forever = threading.Event()

    class Hanging(Scripted):
        def deliver(self, told: Notice) -> Failure | None:
            forever.wait(20)
            return None

    found = deliver(Hanging([]), notice(), retries=0, within_s=0.1)
    forever.set()
    assert found.reasons == ("webhook: did not end within 0.1 s",)
