"""The embedded server on a real release: the judged scores, by TensorFlow Serving's own client."""

import json
import shutil
import subprocess
from pathlib import Path

import grpc
import pytest
from click.testing import CliRunner
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from components.baselines.scores import load_scores
from components.feedback.record import Record
from pipeline.cli import main
from pipeline.feedback.served import ServedCases
from pipeline.serving.messages import metadata_pb2, status_pb2
from tests.e2e.conftest import Released
from tests.pipeline.serving.server import NAME, instances, prediction, serving

pytestmark = pytest.mark.tensorflow


def casegate(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def test_tensorflow_servings_own_stub_gets_the_scores_that_were_judged(
    released: Released, tmp_path: Path
) -> None:
    log = tmp_path / "predictions"  # other tests are served from the same workspace
    release = released.second.outcome.release
    assert release is not None
    rows = released.data.of_split("test")[:80]
    images = [(released.data.folder / row["path"]).read_bytes() for row in rows]
    scores = load_scores(release.decision.parent / "scores.json")
    judged = dict(zip(scores.case_ids, scores.scores))
    wanted = [judged[row["case_id"]] for row in rows]
    setting = f"monitoring.log={log}"
    with serving(released.workspace, "--set", setting, pretended=False) as server:
        channel = grpc.insecure_channel(server.address)
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        ids = ",".join(row["case_id"] for row in rows)
        found = stub.Predict(prediction(*images), metadata=[("x-case-id", ids)], timeout=60)
        assert list(found.outputs["probability"].float_val) == pytest.approx(wanted, abs=1e-6)
        assert found.model_spec.version.value == release.version
        one_by_one = [
            server.ask(instances(image), x_case_id=row["case_id"])[1]["predictions"][0]
            for image, row in zip(images[:20], rows)
        ]
        assert [p["probability"] for p in one_by_one] == pytest.approx(wanted[:20], abs=1e-6)
        explained = server.ask(instances(images[0], signature_name="explain"))[1]["predictions"][0]
        assert len(explained["heatmap"]) > 1 and explained["label"] == one_by_one[0]["label"]
        asked = metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        asked.model_spec.name = NAME
        assert "signature_def" in stub.GetModelMetadata(asked, timeout=30).metadata
        status = status_pb2.GetModelStatusRequest()
        status.model_spec.name = NAME
        models = model_service_pb2_grpc.ModelServiceStub(channel)
        assert models.GetModelStatus(status, timeout=30).model_version_status[0].state == 30
        _refuses_what_is_no_picture(server)
        if curl := shutil.which("curl"):
            body = json.dumps(instances(images[0])).encode()
            command = [curl, "-s", "--data-binary", "@-", f"{server.rest}:predict"]
            done = subprocess.run(command, input=body, capture_output=True, check=True)
            assert json.loads(done.stdout)["predictions"] == one_by_one[:1]
        assert server.stop() == 0
    _log_is_read(released.workspace, log, rows[0]["case_id"])


def _refuses_what_is_no_picture(server) -> None:
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x40" + b"no picture" * 20
    assert server.ask(instances(png))[0] == 400
    assert server.ask(instances(b"\xff\xd8\xff" + bytes(100)))[0] == 400


def _log_is_read(workspace: Path, log: Path, case_id: str) -> None:
    """Monitor finds every case, though too few, and an opinion on one of them is taken."""
    here = ("--workspace", workspace, "--set", f"monitoring.log={log}")
    code, said = casegate("monitor", *here, "--format", "json")
    report = json.loads(said)
    assert (code, report["log"]["predictions"], report["log"]["unusable"]) == (3, 81 + 20 + 1, 0)
    assert ServedCases(log).find(case_id) is not None
    # How many lines have it depends on how fast they come; the first one has.
    assert any("pixels_sha256" in path.read_text() for path in log.glob("*.jsonl"))
    given = ("--case", case_id, "--label", "positive", "--by", "Dr. Ada")
    assert casegate("feedback", "add", *given, *here)[0] == 0
    assert [o.case_id for o in Record(workspace / "feedback.jsonl").opinions()][-1:] == [case_id]
