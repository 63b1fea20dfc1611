"""Programs of others, as docs/clients/ shows them, get the scores that the release was judged by.

Each is built and run by the commands that stand at its beginning.
"""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from components.baselines.scores import load_scores
from components.scoring.serving_terms import FLOAT, INT64, STRING, read_contract
from pipeline.serving.deployment.files import FLAGS, deployment_files, write_deployment
from pipeline.serving.vouched import vouch
from pipeline.settings.config import load_config
from pipeline.settings.workspace import Workspace
from tests.e2e.conftest import Released
from tests.foreign import needs
from tests.pipeline.serving.server import serving, wait_for

pytestmark = pytest.mark.tensorflow

CLIENTS = Path(__file__).resolve().parents[2] / "docs" / "clients"
WORDS = r"(?:mvn|java|c\+\+|TF=|\./in_process|\./rest_client|sh|python)"
# Measured: none with the TensorFlow that judged, in other batches or by Java's; 2.4e-7 by 2.21 of
# what 2.16 had judged.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Judged:
    """A release, some of the locked images, and what it was judged by."""

    model: Path
    images: list[Path]
    scores: np.ndarray
    labels: list[int]


@pytest.fixture(scope="module")
def judged(honest: Released) -> Judged:
    release = honest.second.outcome.release
    assert release is not None
    rows = honest.data.of_split("test")[:80]
    known = load_scores(release.decision.parent / "scores.json")
    by_id = dict(zip(known.case_ids, known.scores))
    scores = np.array([by_id[row["case_id"]] for row in rows])
    labels = (scores >= known.operating_point).astype(int).tolist()
    images = [honest.data.folder / row["path"] for row in rows]
    return Judged(release.path, images, scores, labels)


def steps(client: str) -> str:
    """The commands at the beginning of an example, as one script."""
    head = (CLIENTS / client).read_text("utf-8").replace("\\\n", " ")[:1500]
    found = re.findall(rf"^(?://|#)? +({WORDS}.*)$", head, re.M)
    assert found, client
    return "\n".join(found)


def run(client: str, folder: Path, given: dict[str, str]) -> str:
    """What a client prints; `given` stands in the place of the names that its commands have."""
    for path in CLIENTS.iterdir():
        shutil.copy(path, folder)
    script = steps(client)
    for name, value in given.items():
        script = script.replace(name, value)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-ec", script], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.replace("\x1b[0m", "")  # Maven leaves colours behind


def in_process(judged: Judged) -> dict[str, str]:
    return {"workspace/serving/pneumonia/1795576218": str(judged.model), **named(judged)}


def named(judged: Judged) -> dict[str, str]:
    return {"a.png b.jpg": shlex.join(map(str, judged.images))}


def assert_judged(said: str, judged: Judged) -> None:
    """Lines of probability, label and file are the scores, in the order of the images."""
    rows = [line.split() for line in said.splitlines()]
    assert [row[2] for row in rows] == list(map(str, judged.images))
    probabilities = np.array([row[0] for row in rows], np.float32)
    np.testing.assert_allclose(probabilities, judged.scores, rtol=0, atol=TOLERANCE)
    assert [int(row[1]) for row in rows] == judged.labels


def test_a_cplusplus_program_scores_in_its_own_process(judged: Judged, tmp_path: Path) -> None:
    needs("c++", "a C++ compiler")
    assert_judged(run("in_process.cc", tmp_path, in_process(judged)), judged)


def test_a_java_program_scores_in_its_own_process(judged: Judged, tmp_path: Path) -> None:
    needs("java", "a JDK 17")
    maven = [needs("mvn", "Maven"), "-o", "-q", "-B", "-f", str(CLIENTS / "pom.xml")]
    there = subprocess.run([*maven, "dependency:build-classpath"], capture_output=True, text=True)
    if there.returncode:
        pytest.skip("no org.tensorflow:tensorflow-core-api:1.0.0 in Maven's folder: run mvn once")
    offline = {**in_process(judged), "mvn ": "mvn -o "}
    assert_judged(run("InProcess.java", tmp_path, offline), judged)


def test_a_cplusplus_program_says_what_is_wrong(judged: Judged, tmp_path: Path) -> None:
    needs("c++", "a C++ compiler")
    wrong = tmp_path / "wrong.png"
    wrong.write_bytes(b"no picture")
    given = {**in_process(judged), "a.png b.jpg": str(wrong)}
    with pytest.raises(AssertionError, match="INVALID_ARGUMENT"):
        run("in_process.cc", tmp_path, given)


@dataclass(frozen=True)
class Served:
    """Where a server of the release is reached: by REST, and by gRPC."""

    rest: str
    grpc: str

    def given(self, judged: Judged) -> dict[str, str]:
        host_and_port = self.rest.removeprefix("http://").replace(":", " ")
        where = {"http://127.0.0.1:8501": self.rest, "127.0.0.1:8500": self.grpc}
        return {**where, "127.0.0.1 8501": host_and_port, **named(judged)}


@pytest.fixture(scope="module", params=["casegate serve", "tensorflow_model_server"])
def served(
    request: pytest.FixtureRequest, honest: Released, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The release, answering over both protocols: by our server and by TensorFlow Serving."""
    root = tmp_path_factory.mktemp("served")
    if request.param == "tensorflow_model_server":
        program = needs("tensorflow_model_server", "TensorFlow Serving")
        with theirs(program, honest.workspace, root) as found:
            yield found
        return
    shutil.copytree(honest.workspace, root / "workspace")
    with serving(root / "workspace", pretended=False) as server:
        yield Served(server.root, server.address)


@contextmanager
def theirs(program: str, workspace: Path, folder: Path) -> Iterator[Served]:
    """TensorFlow Serving, by the files that are written for it."""
    config = load_config(None, ["signing.unsigned=true"])
    release = vouch(config, Workspace(workspace))
    for path in write_deployment(release, folder):
        text = path.read_text().replace("/mnt/models", str(release.folder.parent))
        path.write_text(text)
    grpc, rest = free_port(), free_port()
    ports = {"/config": str(folder), "=8500": f"={grpc}", "=8501": f"={rest}"}
    flags = []
    for flag in FLAGS:
        for name, value in ports.items():
            flag = flag.replace(name, value)
        flags.append(flag)
    address = f"http://127.0.0.1:{rest}"
    with subprocess.Popen([program, *flags]) as process:
        try:
            wait_for(lambda: is_there(f"{address}/v1/models/pneumonia/metadata"))
            yield Served(address, f"127.0.0.1:{grpc}")
        finally:
            process.kill()


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        return found.getsockname()[1]


def is_there(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


BUILT_BY = {".java": ("java", "a JDK 17"), ".cc": ("c++", "a C++ compiler")}


@pytest.mark.parametrize(
    "client", ["predict_rest.py", "predict_grpc.py", "RestClient.java", "rest_client.cc"]
)
def test_a_client_gets_from_a_server_the_scores_of_the_gate(
    client: str, served: Served, judged: Judged, tmp_path: Path
) -> None:
    if built := BUILT_BY.get(Path(client).suffix):
        needs(*built)
    assert_judged(run(client, tmp_path, served.given(judged)), judged)


def test_curl_gets_from_a_server_the_scores_of_the_gate(
    served: Served, judged: Judged, tmp_path: Path
) -> None:
    needs("curl", "curl")
    said = json.loads(run("predict.sh", tmp_path, served.given(judged)))["predictions"]
    lines = [f"{row['probability']} {row['label']}" for row in said]
    assert_judged("\n".join(f"{a} {b}" for a, b in zip(lines, judged.images)), judged)


def test_a_server_describes_the_model_as_the_contract_does(served: Served) -> None:
    with urllib.request.urlopen(f"{served.rest}/v1/models/pneumonia/metadata") as answer:
        found = json.load(answer)["metadata"]["signature_def"]["signature_def"]
    kinds = {FLOAT: "DT_FLOAT", INT64: "DT_INT64", STRING: "DT_STRING"}
    for name, terms in read_contract().items():
        said = {**found[name]["inputs"], **found[name]["outputs"]}
        wanted = {terms.key: terms.takes, **terms.gives}
        assert set(found[name]["inputs"]) == {terms.key}
        assert {key: said[key]["dtype"] for key in wanted} == {
            key: kinds[one.kind] for key, one in wanted.items()
        }
        for key, one in wanted.items():
            sizes = [int(dim["size"]) for dim in said[key]["tensor_shape"]["dim"]]
            assert sizes[0] == -1 and len(sizes) == one.rank


def test_the_probes_that_are_written_see_the_version_and_no_other(
    served: Served, judged: Judged, honest: Released
) -> None:
    right = vouch(load_config(None, ["signing.unsigned=true"]), Workspace(honest.workspace))
    for release, there in ((right, True), (replace(right, version=right.version + 1), False)):
        made = deployment_files(release)
        (service,) = yaml.safe_load(made["compose.yaml"])["services"].values()
        _, *command = service["healthcheck"]["test"]
        command[-1] = command[-1].replace("8501", served.rest.rpartition(":")[2])
        assert (subprocess.run(command, capture_output=True).returncode == 0) is there
        _, deployment, _ = yaml.safe_load_all(made["kubernetes.yaml"])
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        ready, live = (container[f"{name}Probe"]["httpGet"] for name in ("readiness", "liveness"))
        assert is_there(served.rest + ready["path"]) is there
        assert is_there(served.rest + live["path"])


@pytest.mark.parametrize(
    "client", ["predict_rest.py", "RestClient.java", "rest_client.cc", "predict.sh"]
)
def test_a_client_says_why_there_is_no_answer(
    client: str, served: Served, judged: Judged, tmp_path: Path
) -> None:
    needs(*BUILT_BY.get(Path(client).suffix, ("curl", "curl")))
    (tmp_path / "wrong.png").write_bytes(b"no picture")
    given = {**served.given(judged), "a.png b.jpg": "wrong.png"}
    with pytest.raises(AssertionError, match="error"):
        run(client, tmp_path, given)
