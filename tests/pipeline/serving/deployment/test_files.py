"""What is written for servers of others is held to their own messages and schemas.

`inferenceservice-v1beta1.json.xz` is the schema of KServe's InferenceService, v0.15.2, taken from
its CustomResourceDefinition without the descriptions (Apache-2.0, The KServe Authors).
"""

import json
import lzma
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,  # noqa: F401 - what the messages below are made of
)
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from components.records.errors import ConfigError
from pipeline.serving.deployment.files import FLAGS, deployment_files, write_deployment
from pipeline.serving.vouched import VouchedRelease
from tests.foreign import answer, needs
from tests.refusing import refused

HERE = Path(__file__).parent
RELEASE = VouchedRelease(
    "pneumonia", 1795576218, Path("/data/a ward's $W/1795576218"), "1e" * 32, "2026.1Z", 0.5
)
NAMES = ("pneumonia", "3D_CT.v2", "2026", "true", "_", "a" * 60)


def files(name: str = "pneumonia") -> dict[str, str]:
    return deployment_files(VouchedRelease(**{**vars(RELEASE), "name": name}))


def documents(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize("name", NAMES)
def test_tensorflow_servings_messages_pin_the_version(name: str) -> None:
    config = text_format.Parse(files(name)["models.config"], ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == (name, "/mnt/models")
    assert list(model.model_version_policy.specific.versions) == [1795576218]


def published(name: str, **fields: tuple[int, str]) -> Any:
    """An empty message with these fields, number and type, of those that no package brings.

    Source: session_bundle_config.proto and monitoring_config.proto of TensorFlow Serving.
    """
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package="t", syntax="proto3")
    file.dependency.append("google/protobuf/wrappers.proto")
    made = file.message_type.add(name=name)
    for field, (number, kind) in fields.items():
        one = made.field.add(name=field, number=number, label=1, type=11)
        one.type_name = f".google.protobuf.{kind}"
    pool = descriptor_pool.Default()
    found = pool.Add(file) or pool.FindFileByName(file.name)
    descriptor = found.message_types_by_name[name]
    make = getattr(message_factory, "GetMessageClass", None)
    return (make or message_factory.MessageFactory(pool).GetPrototype)(descriptor)()


def test_batching_parameters_are_those_that_tensorflow_serving_knows() -> None:
    names = ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")
    fields = {name: (number, "Int64Value") for number, name in enumerate(names, 1)}
    found = text_format.Parse(files()["batching.config"], published("Batching", **fields))
    assert all(getattr(found, name).value > 0 for name in names)


def test_metrics_are_given_to_prometheus() -> None:
    said = files()["monitoring.config"].splitlines()[-1]
    assert said == 'prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }'


@pytest.mark.process
@pytest.mark.parametrize("name", NAMES)
def test_compose_is_what_its_published_schema_allows(name: str, tmp_path: Path) -> None:
    command = needs("check-jsonschema", "the group dev")
    (tmp_path / "compose.yaml").write_text(files(name)["compose.yaml"])
    answer(command, "--builtin-schema", "vendor.compose-spec", tmp_path / "compose.yaml")


def test_compose_binds_the_releases_folder_and_runs_as_nobody() -> None:
    (service,) = documents(files()["compose.yaml"])[0]["services"].values()
    models, config = service["volumes"]
    assert models["source"] == "/data/a ward's $$W" and models["read_only"]  # $$ is a plain $
    assert config["target"] == "/config" and service["user"] == "65534:65534"
    assert service["command"] == list(FLAGS)
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


@pytest.mark.parametrize("name", NAMES)
def test_kubernetes_takes_each_manifest(name: str) -> None:
    made = documents(files(name)["kubernetes.yaml"])
    assert [one["kind"] for one in made] == ["ConfigMap", "Deployment", "Service"]
    for one in made:
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)
        assert all(word.isalnum() for word in one["metadata"]["name"].split("-"))


def test_kubernetes_would_refuse_a_misspelt_probe() -> None:
    _, deployment, _ = documents(files()["kubernetes.yaml"])
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["readynessProbe"] = container.pop("readinessProbe")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, kubernetes_validate.latest_version(), strict=True)


def test_pods_hold_the_same_configuration_and_no_rights() -> None:
    made = files()
    config, deployment, service = documents(made["kubernetes.yaml"])
    configs = {name: made[name] for name in config["data"]}
    assert config["data"] == configs and len(configs) == 3
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
    rights = container["securityContext"]
    assert rights["readOnlyRootFilesystem"] and rights["capabilities"] == {"drop": ["ALL"]}
    assert rights["allowPrivilegeEscalation"] is False
    metadata = "/v1/models/pneumonia/versions/1795576218/metadata"
    assert container["readinessProbe"]["httpGet"]["path"] == metadata
    assert container["livenessProbe"]["httpGet"]["path"] == "/v1/models/pneumonia"
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert mounts["/mnt/models"]["readOnly"] and "/config" in mounts


def inference_service_schema() -> dict[str, Any]:
    """KServe's, in which what it does not know is an error instead of left out."""
    schema = json.loads(lzma.decompress((HERE / "inferenceservice-v1beta1.json.xz").read_bytes()))

    def closed(one: Any) -> Any:
        if isinstance(one, list):
            return [closed(each) for each in one]
        if not isinstance(one, dict):
            return one
        found = {key: closed(each) for key, each in one.items()}
        if isinstance(one.get("properties"), dict) and one.get("type") == "object":
            found.setdefault("additionalProperties", False)
        return found

    return closed(schema)


@pytest.mark.parametrize("name", NAMES)
def test_kserve_takes_its_manifest(name: str) -> None:
    (made,) = documents(files(name)["kserve.yaml"])
    jsonschema.validate(made, inference_service_schema())
    assert made["spec"]["predictor"]["securityContext"]["runAsNonRoot"]
    made["spec"]["predictor"]["model"]["storageURI"] = "pvc://elsewhere"
    with pytest.raises(jsonschema.ValidationError, match="storageURI"):
        jsonschema.validate(made, inference_service_schema())


def test_kserve_shares_the_configuration_and_the_claim() -> None:
    made = files()
    config, deployment, _ = documents(made["kubernetes.yaml"])
    predictor = documents(made["kserve.yaml"])[0]["spec"]["predictor"]
    volumes = {one["name"]: one for one in deployment["spec"]["template"]["spec"]["volumes"]}
    claim = volumes["models"]["persistentVolumeClaim"]["claimName"]
    assert predictor["model"]["storageUri"] == f"pvc://{claim}"
    assert predictor["volumes"][0]["configMap"]["name"] == config["metadata"]["name"]
    assert set(predictor["model"]["args"]) == {flag for flag in FLAGS if "port" not in flag}


def test_they_are_the_same_each_time_and_replaced_after_a_release(tmp_path: Path) -> None:
    first = write_deployment(RELEASE, tmp_path / "deploy")
    before = {path: path.read_text() for path in first}
    assert write_deployment(RELEASE, tmp_path / "deploy") == first
    assert {path: path.read_text() for path in first} == before
    newer = VouchedRelease(**{**vars(RELEASE), "version": 1795576300})
    write_deployment(newer, tmp_path / "deploy")
    assert not any("1795576218" in p.read_text() for p in first)
    with refused(ConfigError, tmp_path / "deploy" / "models.config"):
        write_deployment(RELEASE, tmp_path / "deploy" / "models.config")
