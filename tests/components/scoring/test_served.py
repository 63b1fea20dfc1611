"""What TensorFlow Serving's loader says of a model, heard from a process of its own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.records.errors import Unservable
from components.scoring import served, serving_session
from components.scoring.served import ServedRequest, ask, explain, probe
from components.scoring.serving_session import NO_LABEL
from tests.components.scoring import making
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow

IMAGES = [b"." * size for size in (100, 249, 250, 999)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return making.save(making.Sized(), tmp_path_factory.mktemp("model") / "1")


def test_answers_come_in_the_order_of_the_requests(model: Path) -> None:
    requests = [
        ServedRequest("serving_default", IMAGES[: i % 4 + 1], alone=i % 3 == 0) for i in range(60)
    ]
    for number, (request, answer) in enumerate(ask(model, iter(requests))):
        assert request is requests[number]
        sizes = np.float32([len(image) for image in request.inputs])
        np.testing.assert_allclose(answer.probability, sizes / 1000, rtol=1e-6)
        assert answer.label.tolist() == (sizes >= 250).astype(int).tolist()
        assert answer.milliseconds > 0 and "TF_LoadSessionFromSavedModel" in answer.loader
    assert number == 59


@pytest.mark.parametrize("kind", making.UNSERVABLE)
def test_what_cannot_be_served_is_named(kind: str, tmp_path: Path) -> None:
    make, words = making.UNSERVABLE[kind]
    fault = probe(make(tmp_path / "model")).fault
    assert fault is not None and "\n" not in fault
    assert not fault.startswith(f"{tmp_path / 'model'}: ")  # whoever asks knows where it lies
    with refused(Unservable, words):
        list(ask(tmp_path / "model", [ServedRequest("serving_default", IMAGES)]))


def test_a_model_that_can_be_served_answers_both_signatures(model: Path) -> None:
    found = probe(model)
    assert found.fault is None and found.loader


def test_a_model_says_why_image_by_image(tmp_path: Path) -> None:
    folder = making.save(making.Explained(), tmp_path / "model")
    assert probe(folder).fault is None
    answers = list(explain(folder, [IMAGES[3], IMAGES[0]]))
    np.testing.assert_allclose([a.probability[0] for a in answers], [0.999, 0.1], rtol=1e-6)
    hot = [np.argwhere(answer.heatmap[0]).tolist() for answer in answers]
    assert hot == [[[2, 0], [2, 1]], [[0, 0], [0, 1]]]
    assert answers[0].heatmap.shape == (1, 3, 2)


class PickyExplained(making.Explained, making.Picky):
    """Says why, but of no image that it cannot read."""


def test_an_image_that_cannot_be_read_costs_no_other_its_map(tmp_path: Path) -> None:
    folder = making.save(PickyExplained(), tmp_path / "model")
    images = [IMAGES[0], b"!", IMAGES[3]]
    with refused(Unservable):
        list(explain(folder, images))
    answers = list(explain(folder, images, spared=True))
    assert [answer.label[0] for answer in answers] == [0, NO_LABEL, 1]
    assert [bool(answer.heatmap.any()) for answer in answers] == [True, False, True]
    assert [answer.heatmap.shape for answer in answers] == [(1, 3, 2)] * 3


def test_a_model_released_before_models_said_why_is_served_and_says_nothing(model: Path) -> None:
    assert probe(model).fault is None and list(explain(model, IMAGES)) == []


def test_the_program_imports_no_keras_no_python_of_tensorflow_and_of_ours_the_contract(
    model: Path,
) -> None:
    listed = "print(*sorted(sys.modules), file=sys.stderr)"
    run = f"import runpy, sys; sys.argv[1:] = [{str(model)!r}]; "
    run += f"runpy.run_path({serving_session.__file__!r}, run_name='__main__'); {listed}"
    done = subprocess.run(
        [sys.executable, "-I", "-c", run], stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    assert b'"fault": null' in done.stdout
    modules = done.stderr.decode().splitlines()[-1].split()
    assert not {"keras", "tf_keras", "tensorflow.python"} & set(modules)
    ours = {name for name in modules if name.split(".")[0] in ("components", "pipeline")}
    assert ours == {"components", "components.scoring", "components.scoring.serving_terms"}


def test_what_the_model_refuses_is_its_fault_and_not_ours(model: Path) -> None:
    with refused(Unservable, "Example"):
        list(ask(model, [ServedRequest("serve_examples", [b"no Example"])]))


@pytest.mark.parametrize(
    "program, words",
    [
        (
            "import os, sys; print('first\\nCheck failed: rank', file=sys.stderr); os.abort()",
            "SIGABRT: Check failed: rank",
        ),
        (
            "import os, sys; sys.exit(os.environ['TF_CPP_MIN_LOG_LEVEL'] + ' is the level')",
            "exit code 1: 3 is the level",
        ),
        (
            r"import os; os.write(2, b'aa\xff' + b'b' * 4094 + b'\n'); raise SystemExit(3)",
            "exit code 3: \ufffd" + "b" * 299,
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("raise SystemExit(3)", "exit code 3"),
        ('print(\'{"fault": null, "loader": "x"}\')', "exit code 0"),
    ],
)
def test_a_process_that_ends_without_its_answers_is_told(
    program: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "program.py").write_text(program)
    monkeypatch.setattr(served, "PROGRAM", tmp_path / "program.py")
    with refused(Unservable) as caught:
        list(ask(tmp_path, [ServedRequest("serving_default", [b"." * 100_000] * 50)] * 20))
    assert str(caught.value).endswith(f" ended with {words}")


@pytest.mark.parametrize("size", [0, 1, *range(96, 131), 16_360, 16_384, 70_000])
def test_an_example_is_as_tensorflow_serializes_it(size: int) -> None:
    image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"." * size]))
    example = tf.train.Example(features=tf.train.Features(feature={"image": image}))
    assert served._example(b"." * size) == example.SerializeToString()


def test_what_fails_while_requests_are_made_is_raised_as_it_is(model: Path) -> None:
    def requests():
        yield ServedRequest("serving_default", IMAGES)
        raise OSError("a record that cannot be read")

    with pytest.raises(OSError, match="a record that cannot be read"):
        list(ask(model, requests()))


def test_who_stops_asking_leaves_no_process(model: Path) -> None:
    answers = ask(model, (ServedRequest("serving_default", IMAGES) for _ in range(1000)))
    next(answers)
    answers.close()
    children = subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, check=True
    ).stdout
    assert str(model) not in children
