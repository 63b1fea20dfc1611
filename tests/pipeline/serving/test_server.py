"""`casegate serve` over both protocols: what it answers, what it refuses, and what it survives."""

import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from components.drift.log import read_log
from pipeline.feedback.served import ServedCases
from pipeline.serving.messages import metadata_pb2, predict_pb2, status_pb2
from tests.components.cases import making as cases
from tests.components.cases.making import encoded
from tests.pipeline.serving.making import Ward
from tests.pipeline.serving.server import (
    NAME,
    Server,
    instances,
    journal,
    picture,
    prediction,
    serving,
    wait_for,
)

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The least that has signatures."""
    from pipeline.serving.messages import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    graph = saved.meta_graphs.add()
    graph.meta_info_def.tags.append("serve")
    for name, key in (
        ("serving_default", "image"),
        ("serve_examples", "examples"),
        ("explain", "image"),
    ):
        graph.signature_def[name].inputs[key].dtype = 7
        graph.signature_def[name].outputs["probability"].dtype = 1
    folder = tmp_path_factory.mktemp("model")
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    return folder


def made(root: Path, model: Path) -> Ward:
    ward = Ward(root)
    ward.release(7, model)
    return ward


@pytest.fixture(scope="module")
def shared(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    ward = made(tmp_path_factory.mktemp("shared"), model)
    with serving(ward.root, "--set", "server.max_bytes=100000") as server:
        yield server


@pytest.fixture
def ward(model: Path, tmp_path: Path) -> Ward:
    return made(tmp_path, model)


BIG, SMALL = picture(300), picture(100)
ANSWERED = [{"probability": 0.3, "label": 1}, {"probability": 0.1, "label": 0}]


@pytest.mark.parametrize("which", ["", "/versions/7", "/labels/released", "/labels/stable"])
def test_rows_are_answered_by_rows(shared: Server, which: str) -> None:
    assert shared.ask(instances(BIG, SMALL), f"{which}:predict") == (200, {"predictions": ANSWERED})


def test_columns_are_answered_by_columns(shared: Server) -> None:
    column = instances(BIG, SMALL)["instances"]
    for inputs in (column, {"image": column}):
        code, found = shared.ask({"inputs": inputs, "signature_name": "explain"})
        assert (code, found["outputs"]["label"]) == (200, [1, 0])
        assert found["outputs"]["heatmap"] == [[[0.5] * 3] * 2] * 2
    named = {"instances": [{"image": each} for each in column]}
    assert shared.ask(named) == (200, {"predictions": ANSWERED})


def test_curl_asks_it(shared: Server, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    (tmp_path / "request.json").write_text(json.dumps(instances(BIG)))
    command = [curl, "-s", "-d", f"@{tmp_path / 'request.json'}", f"{shared.rest}:predict"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert json.loads(done.stdout) == {"predictions": ANSWERED[:1]}


def test_status_and_metadata_are_those_of_tensorflow_serving(shared: Server) -> None:
    state = {"version": "7", "state": "AVAILABLE"}
    ok = {"error_code": "OK", "error_message": ""}
    assert shared.get() == (200, {"model_version_status": [{**state, "status": ok}]})
    code, found = shared.get("/metadata")
    assert (code, found["model_spec"]["version"]) == (200, "7")
    signatures = found["metadata"]["signature_def"]["signature_def"]
    assert signatures["serving_default"]["inputs"]["image"]["dtype"] == "DT_STRING"
    assert shared.send(f"{shared.root}/healthz", None)[0] == 200
    assert shared.send(f"{shared.root}/readyz", None)[0] == 200
    alias = shared.send(f"{shared.root}/monitoring/prometheus/metrics", None)
    assert b"casegate_serving_version 7.0" in alias[1]


B64 = {"b64": "AAAA"}
JUNK = {"b64": "****" + instances(BIG)["instances"][0]["b64"]}
REFUSED: dict[str, tuple[Any, str, int]] = {
    "another model": (instances(BIG), "x:predict", 404),
    "another version": (instances(BIG), "/versions/6:predict", 404),
    "another label": (instances(BIG), "/labels/canary:predict", 400),
    "another method": (instances(BIG), ":classify", 400),
    "no method": (instances(BIG), "", 400),
    "no JSON": (b"{", ":predict", 400),
    "nothing": (b"", ":predict", 400),
    "NaN": (b'{"instances": [NaN]}', ":predict", 400),
    "deep": (b"[" * 90_000, ":predict", 400),
    "a list": ([1], ":predict", 400),
    "neither": ({"signature_name": "explain"}, ":predict", 400),
    "both": ({**instances(BIG), "inputs": []}, ":predict", 400),
    "another signature": (instances(BIG, signature_name="other"), ":predict", 400),
    "a signature of another type": (instances(BIG, signature_name=3), ":predict", 400),
    "no list": ({"instances": {"b64": ""}}, ":predict", 400),
    "no input": ({"instances": []}, ":predict", 400),
    "too many": (instances(*[SMALL] * 513), ":predict", 400),
    "a number": ({"instances": [3]}, ":predict", 400),
    "a list of lists": ({"instances": [[B64]]}, ":predict", 400),
    "another key": ({"instances": [{"picture": B64}]}, ":predict", 400),
    "a key more": ({"instances": [{"image": B64, "id": 3}]}, ":predict", 400),
    "wrong base64": ({"instances": [{"b64": "A*AA"}]}, ":predict", 400),
    "base64 with junk": ({"instances": [JUNK]}, ":predict", 400),
    "cut base64": ({"instances": [{"b64": "AAA"}]}, ":predict", 400),
    "no picture": ({"instances": [B64]}, ":predict", 400),
    "half a header": (instances(BIG[:20]), ":predict", 400),
    "an empty picture": (instances(picture(side=0)), ":predict", 400),
    "a bomb": (instances(picture(side=60_000)), ":predict", 400),
    "not decoded": (instances(SMALL, picture(word=b"unread")), ":predict", 400),
    "no Example": (instances(SMALL, signature_name="serve_examples"), ":predict", 400),
    "a huge body": (instances(picture(200_000)), ":predict", 400),
    "what it dies of": (instances(picture(word=b"abort")), ":predict", 500),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_request_gets_the_protocols_error(shared: Server, name: str) -> None:
    body, path, wanted = REFUSED[name]
    code, found = shared.ask(body, path)
    assert code == wanted and list(found) == ["error"] and found["error"], found
    assert shared.ask(instances(BIG))[0] == 200


def test_grpc_answers_the_same(shared: Server) -> None:
    found = shared.predict(prediction(BIG, SMALL))
    assert list(found.outputs["label"].int64_val) == [1, 0]
    assert list(found.outputs["probability"].float_val) == pytest.approx([0.3, 0.1])
    assert [d.size for d in found.outputs["label"].tensor_shape.dim] == [2]
    assert (found.model_spec.version.value, found.model_spec.signature_name) == (
        7,
        "serving_default",
    )
    explained = prediction(BIG, signature="explain")
    explained.output_filter.append("heatmap")
    assert list(shared.predict(explained).outputs) == ["heatmap"]
    asked = metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    asked.model_spec.name = NAME
    assert "signature_def" in shared.get_metadata(asked).metadata
    status = status_pb2.GetModelStatusRequest()
    status.model_spec.name = NAME
    assert [s.state for s in shared.get_status(status).model_version_status] == [30]


def shaped(*sizes: int) -> Any:
    request = prediction(BIG)
    del request.inputs["image"].tensor_shape.dim[:]
    for size in sizes:
        request.inputs["image"].tensor_shape.dim.add().size = size
    return request


def of_type(kind: int) -> Any:
    request = prediction(BIG)
    request.inputs["image"].dtype = kind
    return request


def named(**names: str) -> Any:
    request = prediction(BIG)
    for name, value in names.items():
        setattr(request.model_spec, name, value)
    return request


def with_input_more() -> Any:
    request = prediction(BIG)
    request.inputs["more"].dtype = 1
    return request


def filtered() -> Any:
    request = prediction(BIG)
    request.output_filter.append("other")
    return request


@pytest.mark.parametrize(
    "request_, code",
    [
        (named(name="other"), "NOT_FOUND"),
        (prediction(BIG, version=6), "NOT_FOUND"),
        (named(version_label="canary"), "INVALID_ARGUMENT"),
        (named(signature_name="other"), "INVALID_ARGUMENT"),
        (shaped(), "INVALID_ARGUMENT"),
        (shaped(1, 1), "INVALID_ARGUMENT"),
        (shaped(2), "INVALID_ARGUMENT"),
        (shaped(-1), "INVALID_ARGUMENT"),
        (of_type(1), "INVALID_ARGUMENT"),
        (with_input_more(), "INVALID_ARGUMENT"),
        (filtered(), "INVALID_ARGUMENT"),
        (predict_pb2.PredictRequest(), "NOT_FOUND"),
        (prediction(), "INVALID_ARGUMENT"),
        (prediction(b"no picture"), "INVALID_ARGUMENT"),
        (prediction(picture(side=60_000)), "INVALID_ARGUMENT"),
        (prediction(picture(word=b"unread")), "INVALID_ARGUMENT"),
        (prediction(picture(200_000)), "RESOURCE_EXHAUSTED"),
        (prediction(picture(word=b"abort")), "INTERNAL"),
        (prediction(picture(1500)), "INTERNAL"),
    ],
    ids=range(19),
)
def test_a_bad_rpc_gets_its_status(shared: Server, request_: Any, code: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        shared.predict(request_)
    assert caught.value.code().name == code, caught.value.details()
    assert shared.predict(prediction(BIG)).outputs["label"].int64_val[0] == 1


def test_what_a_classifier_has_not_is_unimplemented(shared: Server) -> None:
    for method in ("PredictionService/Classify", "ModelService/HandleReloadConfigRequest"):
        call = shared.channel.unary_unary(f"/tensorflow.serving.{method}")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_deadline_is_kept(shared: Server) -> None:
    slow = prediction(picture(word=b"slow"))
    with pytest.raises(grpc.RpcError) as caught:
        shared.predict(slow, timeout=0.2)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert shared.predict(prediction(BIG)).outputs["label"].int64_val[0] == 1


def test_predictions_are_logged_for_monitor_and_feedback(model: Path, tmp_path: Path) -> None:
    ward, shown = made(tmp_path, model), encoded(cases.picture(3))
    with serving(ward.root) as server:
        code, _ = server.ask(instances(shown), x_case_id="CR.1%2C2")
        assert code == 200
        server.predict(prediction(shown, BIG), metadata=[("x-case-id", "CR.3,CR.4")])
        server.ask(instances(SMALL))
        assert server.ask(instances(SMALL, SMALL), x_case_id="one")[0] == 400
        assert server.stop() == 0
    log = read_log(ward.root / "predictions", tolerated=0)
    assert (log.predictions, log.models) == (4, {f"version 7 {log.columns.sha256s[0][:12]}": 4})
    served = ServedCases(ward.root / "predictions")
    found = served.find("CR.1,2")
    assert found is not None and found.pixels_sha256 and served.find("CR.4") is not None
    assert "CR.1,2" in served.with_picture(found.pixels_sha256)
    said = (ward.root / "journal.jsonl").read_text()
    assert "CR." not in said and found.pixels_sha256 not in said


def test_a_release_and_a_rollback_are_taken_up_and_no_request_is_lost(ward: Ward) -> None:
    with serving(ward.root) as server, ThreadPoolExecutor(4) as pool:
        ended = threading.Event()

        def ask_on() -> list[int]:
            codes = []
            while not ended.is_set():
                codes.append(server.ask(instances(BIG))[0])
            return codes

        asking = [pool.submit(ask_on) for _ in range(4)]
        new = second(ward)
        wait_for(lambda: server.version() == new)
        back = ward.roll_back(to=7)
        wait_for(lambda: server.version() == back)
        assert server.ask(instances(BIG), f"/versions/{new}:predict")[0] == 404
        ended.set()
        codes = [code for asked in asking for code in asked.result(30)]
        assert set(codes) == {200} and len(codes) > 50
        assert server.metrics()["swaps"] == 3


def second(ward: Ward) -> int:
    """Another model than version 7."""
    folder = ward.root / "second"
    shutil.copytree(ward.destination / "7", folder)
    (folder / "more").write_text("other weights")
    ward.release(12, folder)
    return 12


def test_a_version_that_does_not_fit_is_refused_and_the_last_good_one_serves(ward: Ward) -> None:
    with serving(ward.root) as server:
        (ward.destination / "8").mkdir()
        (ward.destination / "8" / "saved_model.pb").write_text("of nobody")
        wait_for(lambda: server.metrics()["refused"])
        states = server.get()[1]["model_version_status"]
        assert [(s["version"], s["state"]) for s in states] == [("7", "AVAILABLE"), ("8", "END")]
        assert states[1]["status"]["error_code"] == "FAILED_PRECONDITION"
        assert "put there by hand" in states[1]["status"]["error_message"]
        assert server.ask(instances(BIG), "/versions/7:predict")[0] == 200
        assert server.send(f"{server.root}/readyz", None)[0] == 200
        shutil.rmtree(ward.destination / "8")
        wait_for(lambda: not server.metrics()["refused"])
    (said,) = [line for line in journal(ward.root) if line["event"] == "version refused"]
    assert said["version"] == 8


def test_what_was_rolled_back_is_not_served_where_nothing_came_in_its_place(ward: Ward) -> None:
    new = second(ward)
    with serving(ward.root) as server:
        assert server.version() == new
        back = ward.roll_back(to=7)
        shutil.rmtree(ward.destination / str(back))
        wait_for(lambda: server.ask(instances(BIG))[0] == 503)
        assert server.send(f"{server.root}/readyz", None)[0] == 503
        assert server.send(f"{server.root}/healthz", None)[0] == 200


def test_where_nothing_may_be_served_it_waits(tmp_path: Path, model: Path) -> None:
    ward = Ward(tmp_path)
    ward.workspace.root.mkdir(exist_ok=True)
    with serving(ward.root) as server:
        assert server.ask(instances(BIG))[0] == 503
        ward.release(7, model)
        wait_for(lambda: server.ask(instances(BIG))[0] == 200)


def models_of(server: Server) -> list[int]:
    """The processes that the server started."""
    children = Path(f"/proc/{server.process.pid}/task").glob("*/children")
    return [int(pid) for path in children for pid in path.read_text().split()]


def test_a_body_that_came_while_versions_were_swapped_is_answered_by_the_newer(ward: Ward) -> None:
    with serving(ward.root) as server:
        body = json.dumps(instances(BIG)).encode()
        host, path = server.root.removeprefix("http://"), server.rest.removeprefix(server.root)
        client = http.client.HTTPConnection(host, timeout=30)
        client.putrequest("POST", f"{path}:predict")
        client.putheader("content-length", str(len(body)))
        client.endheaders(body[:50])
        before, new = models_of(server), second(ward)
        wait_for(lambda: server.version() == new and len(models_of(server)) == 1)
        client.send(body[50:])
        assert json.load(client.getresponse()) == {"predictions": ANSWERED[:1]}
        assert len(models_of(server)) == 1 and models_of(server) != before


def test_a_process_that_is_killed_costs_no_answer(ward: Ward) -> None:
    with serving(ward.root) as server, ThreadPoolExecutor(8) as pool:
        slow = [pool.submit(server.ask, instances(picture(word=b"slow"))) for _ in range(3)]
        time.sleep(0.5)
        for pid in models_of(server):
            os.kill(pid, signal.SIGKILL)
        asked = [pool.submit(server.ask, instances(BIG)) for _ in range(20)]
        assert {each.result(60)[0] for each in slow + asked} == {200}
        assert server.metrics()["restarts"] == 1


def test_a_poisoned_request_hurts_only_itself(ward: Ward) -> None:
    delay = ("--set", "server.batch_delay_ms=300")
    with serving(ward.root, *delay) as server, ThreadPoolExecutor(12) as pool:
        pool.submit(server.ask, instances(picture(word=b"slow")))
        time.sleep(0.3)
        others = [pool.submit(server.ask, instances(BIG)) for _ in range(5)]
        poisoned = pool.submit(server.ask, instances(picture(word=b"abort")))
        others += [pool.submit(server.ask, instances(BIG)) for _ in range(5)]
        assert poisoned.result(60)[0] == 500
        assert {other.result(60)[0] for other in others} == {200}


def test_what_cannot_wait_is_refused(ward: Ward) -> None:
    with serving(ward.root, "--set", "server.queue=4") as server, ThreadPoolExecutor(30) as pool:
        slow = picture(word=b"slow")
        asked = [pool.submit(server.ask, instances(slow)) for _ in range(30)]
        codes = {each.result(60)[0] for each in asked}
        assert codes == {200, 429}
        calls = [pool.submit(server.predict, prediction(slow)) for _ in range(30)]
        errors = [each.exception(60) for each in calls]
        statuses = {error.code() for error in errors if isinstance(error, grpc.RpcError)}
        assert statuses == {grpc.StatusCode.RESOURCE_EXHAUSTED} and None in errors


def test_what_takes_too_long_is_given_up(ward: Ward) -> None:
    with serving(ward.root, "--set", "server.timeout_seconds=0.2") as server:
        assert server.ask(instances(picture(word=b"slow")))[0] == 504


def test_it_answers_what_was_asked_before_it_ends(ward: Ward) -> None:
    with serving(ward.root) as server, ThreadPoolExecutor(2) as pool:
        rest = pool.submit(server.ask, instances(picture(word=b"slow")))
        rpc = pool.submit(server.predict, prediction(picture(word=b"slow")))
        time.sleep(0.4)
        assert server.stop() == 0
        assert (rest.result(10)[0], len(rpc.result(10).outputs)) == (200, 2)
    assert [line["event"] for line in journal(ward.root)][-2:] == ["stopping", "stopped"]


def test_a_token_is_needed_where_there_are_tokens(ward: Ward) -> None:
    tokens, token = ward.root / "tokens", "t" * 32
    tokens.write_text(f"HIS:{token}\n")
    tokens.chmod(0o600)
    with serving(ward.root, "--token-file", str(tokens)) as server:
        assert server.ask(instances(BIG))[0] == 401
        assert server.send(f"{server.root}/metrics", None)[0] == 401
        assert server.send(f"{server.root}/readyz", None)[0] == 200
        assert server.ask(instances(BIG), authorization=f"Bearer {token}")[0] == 200
        with pytest.raises(grpc.RpcError) as caught:
            server.predict(prediction(BIG))
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert server.predict(prediction(BIG), metadata=[("authorization", f"Bearer {token}")])


def test_others_reach_it_by_tls_with_a_token(ward: Ward) -> None:
    certificate, key = write_certificate(ward.root)
    tokens, token = ward.root / "tokens", "t" * 32
    tokens.write_text(f"HIS:{token}\n")
    tokens.chmod(0o600)
    options = ["--host=0.0.0.0", "--allow-remote=localhost", f"--token-file={tokens}"]
    options += [f"--tls-certificate={certificate}", f"--tls-key={key}"]
    with serving(ward.root, *options) as server:
        trusting = ssl.create_default_context(cafile=certificate)
        url = server.rest.replace("0.0.0.0", "localhost") + ":predict"
        body = json.dumps(instances(BIG)).encode()
        asked = urllib.request.Request(url, body, {"authorization": f"Bearer {token}"})
        with urllib.request.urlopen(asked, context=trusting) as found:
            assert json.load(found) == {"predictions": ANSWERED[:1]}
        asked.host = asked.host.replace("localhost", "127.0.0.2")  # is in no certificate
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(asked, context=trusting)
        credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
        address = server.address.replace("0.0.0.0", "localhost")
        server.channel = grpc.secure_channel(address, credentials)
        named = [("authorization", f"Bearer {token}")]
        assert server.predict(prediction(BIG), metadata=named).outputs["label"].int64_val[0] == 1


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of `localhost`, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    kind = PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, kind, NoEncryption()))
    return paths
