"""Files that have TensorFlow Serving, docker compose, Kubernetes and KServe serve what is released.

They pin one version: a server that takes whatever is newest in a folder would serve what nobody
vouched for. TensorFlow Serving verifies nothing itself.
"""

import re
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from components.pages.page import text_of
from components.records.files import write_atomically, writing_to
from pipeline.serving.vouched import VouchedRelease

CONFIGS = ("models.config", "batching.config", "monitoring.config")
MANIFESTS = ("compose.yaml", "kubernetes.yaml", "kserve.yaml")
FLAGS = (
    "--port=8500",
    "--rest_api_port=8501",
    "--enable_batching=true",
    "--model_config_file=/config/models.config",
    "--batching_parameters_file=/config/batching.config",
    "--monitoring_config_file=/config/monitoring.config",
)


def deployment_files(release: VouchedRelease) -> dict[str, str]:
    """What each file holds, by its name; the same for the same release."""
    given = {
        "release": release,
        "about": f"version {release.version}, run {release.run_id}, SHA-256 {release.sha256}",
        # As Kubernetes names things, which begin with a letter.
        "host": re.sub("[^a-z0-9]+", "-", f"casegate-{release.name.lower()}")[:40].strip("-"),
        # Of the release whose messages are installed, which goes with the TensorFlow that trained.
        "image": f"tensorflow/serving:{version('tensorflow-serving-api')}",
        "flags": FLAGS,
        "metadata": f"/v1/models/{quote(release.name)}/versions/{release.version}/metadata",
    }

    def made(name: str, **more: object) -> str:
        return text_of(Path(__file__).with_name(f"{name}.j2"), **given, **more) + "\n"

    configs = {name: made(name) for name in CONFIGS}
    return {**configs, **{name: made(name, configs=configs) for name in MANIFESTS}}


def write_deployment(release: VouchedRelease, out: Path) -> list[Path]:
    """Writes them into a folder, over those of an earlier release; their paths.

    Raises:
      ConfigError: the folder cannot be written to.
    """
    found = {out / name: text for name, text in deployment_files(release).items()}
    with writing_to(out):
        for path, text in found.items():
            write_atomically(path, text.encode())
    return list(found)
