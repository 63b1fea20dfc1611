"""A registry in a bucket, on a server that speaks S3."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import boto3
import pytest

from components.records.errors import SourceError
from pipeline.ci.registry import Published, find_registry, open_store, publish
from tests.components.planting import sha
from tests.pipeline.ci.making import candidate
from tests.pipeline.score_making import CASES
from tests.refusing import refused

pytestmark = pytest.mark.process


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address, with a bucket `models`."""
    port = _free_port()
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as file, pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("AWS_ACCESS_KEY_ID", "anybody"),
            ("AWS_SECRET_ACCESS_KEY", "planted-secret"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ):
            patch.setenv(name, value)
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(command, stdout=file, stderr=file, env=dict(os.environ))
        try:
            _make_bucket(f"http://127.0.0.1:{port}/models")
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def _make_bucket(address: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(urllib.request.Request(address, method="PUT"), timeout=5)
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server does not answer")


def address(server: str, place: str) -> str:
    return f"s3://{place}?region=us-east-1&scheme=http&endpoint_override={server}"


def told() -> Published:
    scores = candidate(4)
    return Published(3, scores.model_sha256, "2025-03-31T12:00:00Z", sha("decision"))


def test_what_is_published_in_a_bucket_is_found(server: str) -> None:
    at = address(server, "models/chest")
    assert find_registry(at) == (
        None,
        "s3://models/chest: nothing published yet; only golden is compared with",
    )
    publish(open_store(at), told(), {CASES.merkle_root: candidate(4)})
    registry, said = find_registry(at)
    assert registry
    scores = registry.scores(CASES.merkle_root)
    assert scores and scores.scores_sha256 == candidate(4).scores_sha256
    assert said == "version 3 in s3://models/chest, released 2025-03-31T12:00:00Z"


def test_a_bucket_that_is_not_there_is_no_error_to_a_reader(server: str) -> None:
    registry, said = find_registry(address(server, "nowhere/chest"))
    assert registry is None
    assert "golden" in said


def test_a_bucket_that_is_not_there_is_an_error_to_a_writer(server: str) -> None:
    with refused(SourceError, "s3://") as caught:
        publish(open_store(address(server, "nowhere/chest")), told(), {})
    assert "planted-secret" not in str(caught.value)


def test_a_server_that_does_not_answer_is_no_error_to_a_reader(server: str) -> None:
    dead = address(f"127.0.0.1:{_free_port()}", "models/chest")
    registry, said = find_registry(dead)
    assert registry is None
    assert "s3://" in said and "planted-secret" not in said


def test_an_upload_cut_short_leaves_the_last_release(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = address(server, "models/cut")
    publish(open_store(at), told(), {CASES.merkle_root: candidate(4)})
    store = open_store(at)
    written: list[str] = []

    def die(name: str, content: bytes) -> None:
        written.append(name)
        raise SourceError("cut")

    monkeypatch.setattr(type(store), "write", lambda self, name, content: die(name, content))
    with pytest.raises(SourceError):
        publish(store, told(), {CASES.merkle_root: candidate(5)})
    assert written[0].startswith("scores/")
    registry, _ = find_registry(at)
    assert registry
    scores = registry.scores(CASES.merkle_root)
    assert scores and scores.scores_sha256 == candidate(4).scores_sha256


def test_amazons_own_client_reads_what_was_published(server: str) -> None:
    publish(open_store(address(server, "models/told")), told(), {CASES.merkle_root: candidate(4)})
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=f"http://{server}", **keys)
    listed = client.list_objects_v2(Bucket="models", Prefix="told/")["Contents"]
    names = [one["Key"] for one in listed]
    bodies = [client.get_object(Bucket="models", Key=name)["Body"].read() for name in names]
    read = {name: json.loads(body.decode("utf-8")) for name, body in zip(names, bodies)}
    (scores,) = [document for name, document in read.items() if name.startswith("told/scores/")]
    assert read["told/champion.json"]["model_sha256"] == scores["model_sha256"]
