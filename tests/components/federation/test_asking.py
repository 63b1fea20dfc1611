"""How a candidate is offered to sites, and what is taken of what lies in their folders."""

import os
import threading
import time
from pathlib import Path

import pytest

from components.attestation.envelope import MOST_BYTES
from components.attestation.site import MODEL_FOLDER, REQUEST_FILE, SiteAnswers
from components.federation import asking
from components.federation.asking import ask_sites
from components.records.errors import ConfigError
from components.records.files import write_atomically

RUN = "20260101T000000.000000Z"


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LOOK_S", 0.02)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_atomically(tmp_path / "candidate" / "saved_model.pb", b"a model")
    (tmp_path / "outbox").mkdir()
    (tmp_path / "inbox").mkdir()
    return tmp_path / "candidate"


def asked(model: Path, *names: str, wait_s: float = 0.2) -> tuple[SiteAnswers, list[str]]:
    root, lines = model.parent, list[str]()
    found = ask_sites(
        model,
        b"the request",
        names,
        run_id=RUN,
        outbox=root / "outbox",
        inbox=root / "inbox",
        wait_s=wait_s,
        say=lines.append,
    )
    return found, lines


def place(model: Path, name: str) -> Path:
    return model.parent / "inbox" / name / RUN / f"{name}.dsse.json"


def test_the_candidate_lies_there_whole_while_it_is_judged_and_no_longer(model: Path) -> None:
    outbox, seen = model.parent / "outbox", list[set[str]]()

    def judge() -> None:
        while not (outbox / RUN).exists():
            time.sleep(0.005)
        files = (path for path in (outbox / RUN).rglob("*") if path.is_file())
        seen.append({path.relative_to(outbox / RUN).as_posix() for path in files})
        write_atomically(place(model, "north"), b"its word")

    site = threading.Thread(target=judge)
    site.start()
    found, lines = asked(model, "north", wait_s=60)
    site.join()
    assert seen == [{f"{MODEL_FOLDER}/saved_model.pb", REQUEST_FILE}]
    assert found == SiteAnswers("the request", {"north": "its word"})
    assert not list(outbox.iterdir())
    assert [line.split()[0] for line in lines] == ["waits", "every"]


def test_who_is_late_is_left_out_and_the_others_count(model: Path) -> None:
    for name in ("north", "south"):
        write_atomically(place(model, name), name.encode())
    found, lines = asked(model, "north", "south", "west")
    assert found.answers == {"north": "north", "south": "south"}
    assert lines == [
        "waits for the verdict of north, south, west",
        "waits for the verdict of west",
    ]


def test_what_is_still_being_copied_is_waited_for(model: Path) -> None:
    path, stopped = place(model, "north"), threading.Event()
    path.parent.mkdir(parents=True)

    def copy() -> None:
        with path.open("wb", buffering=0) as file:
            for _ in range(40):
                file.write(b"x")
                time.sleep(0.01)
        stopped.set()

    threading.Thread(target=copy).start()
    found, _ = asked(model, "north", wait_s=60)
    assert stopped.is_set() and found.answers == {"north": "x" * 40}


def test_a_site_writes_for_itself_alone(model: Path) -> None:
    write_atomically(place(model, "north").with_name("south.dsse.json"), b"not the south's")
    assert asked(model, "south")[0].answers == {}


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_leads_to_nothing_of_the_coordinators(model: Path, kind: str) -> None:
    secret = model.parent / "secret" / RUN / "north.dsse.json"
    write_atomically(secret, b"the coordinator's own")
    path = place(model, "north")
    linked = path if kind == "file" else path.parent
    linked.parent.mkdir(parents=True)
    linked.symlink_to(secret if kind == "file" else secret.parent)
    assert asked(model, "north")[0].answers == {}


def test_a_pipe_holds_nobody_up(model: Path) -> None:
    path = place(model, "north")
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    assert asked(model, "north")[0].answers == {}


def test_of_what_is_endless_no_more_is_read_than_shows_it(model: Path) -> None:
    write_atomically(place(model, "north"), b"x" * (3 * MOST_BYTES))
    assert len(asked(model, "north")[0].answers["north"]) == MOST_BYTES + 1


def test_what_is_no_text_is_kept_as_an_answer_that_is_none(model: Path) -> None:
    write_atomically(place(model, "north"), b"\xff\xfe")
    assert asked(model, "north")[0].answers == {"north": "\ufffd\ufffd"}


def test_an_outbox_that_has_this_run_already_is_refused(model: Path) -> None:
    (model.parent / "outbox" / RUN).mkdir()
    with pytest.raises(ConfigError, match="is there already"):
        asked(model, "north")
