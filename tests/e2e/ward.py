"""A ward that retrains by itself: data arrive week by week, and its cases are served and logged."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from components.cases.draw import draw
from components.cases.images import inspect_image
from components.cases.sources import open_source
from components.drift.log import prediction_line
from components.notify.webhook import verify_signature
from components.records.ledger.ledger import Ledger
from components.release.serving import Champion, find_champion
from pipeline.settings.workspace import Workspace

POLICY = """\
name: ward
alpha: 0.025
leakage: stop
planned_looks: 200
checks:
  - metric: sensitivity
    slice: overall
    floor: 0.70
    margin: 0.08
    rationale: small networks on few images differ by a few cases in a hundred
  - metric: specificity
    slice: overall
    floor: 0.50
    margin: 0.25
    rationale: the operating point of a small network moves; sensitivity is what matters here
"""
SETTINGS: dict[str, Any] = {
    "owner": "Ward 7",
    "model": {
        "image_size": 32,
        "filters": [8, 16, 32],
        "epochs": 8,
        "batch_size": 32,
        "learning_rate": 0.004,
    },
    "signing": {"unsigned": True},
    "retraining": {"free_disk_gib": 0.2, "retries": 0, "timeout_minutes": 20},
}
FIRST_DAY = datetime(2026, 1, 5)
SECRET = "a secret of the ward"
CASEGATE = str(Path(sys.executable).with_name("casegate"))
PATIENCE_S = 400


@dataclass
class Told:
    """The notices that arrived, each with a signature that fits."""

    url: str
    notices: list[dict[str, Any]] = field(default_factory=list)

    def kinds(self) -> list[str]:
        return [str(notice["event"]) for notice in self.notices]


class Ward:
    """Its folders, its configuration, and what happens in a week."""

    def __init__(self, root: Path, *, webhook: str | None = None, **settings: Any) -> None:
        self.root = root
        self.workspace = Workspace(root / "workspace")
        self.spans = root / "data" / "ward"
        self.log = root / "predictions"
        self.baseline = root / "baselines" / "phantom"
        self.log.mkdir(parents=True)
        self.spans.mkdir(parents=True)
        self.baseline.mkdir(parents=True)
        (self.baseline / "policy.yaml").write_text(POLICY)
        locked = Path(__file__).parents[2] / "baselines" / "phantom" / "case_set.json"
        (self.baseline / "case_set.json").write_bytes(locked.read_bytes())
        secret = root / "secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        self.settings: dict[str, Any] = {
            **SETTINGS,
            "data": {"source": f"{self.spans}/span-{{SPAN:4}}", "drift": "report"},
            "case_set": {"source": "phantom", "directory": str(self.baseline.parent)},
            "monitoring": {"log": str(self.log), "min_cases": 150},
            "notify": {
                "repeat_after_minutes": 0,
                "webhook": {"url": webhook, "secret_file": str(secret)},
            },
            **settings,
        }
        self.configure()

    @property
    def config(self) -> Path:
        return self.root / "ward.yaml"

    def configure(self, **model: Any) -> None:
        """Writes the configuration, with some settings of the model changed for good."""
        self.settings = {**self.settings, "model": {**self.settings["model"], **model}}
        self.config.write_text(yaml.safe_dump(self.settings))

    def deliver(self, week: int, spec: str) -> Path:
        """A week's span, drawn from the phantom; it arrives by a rename."""
        place = self.spans / f"span-{week:04d}"
        draw(open_source(spec), place)
        return place

    def serve(self, week: int, spec: str) -> int:
        """Has the released model answer for a week's images, and logs what it said."""
        import numpy as np
        import tensorflow as tf

        champion = self.champion()
        assert champion is not None
        model = tf.saved_model.load(str(champion.path))
        source, lines = open_source(spec), []
        cases = [
            c for split in ("train", "tune") for s in source.shards(split) for c in source.read(s)
        ]
        images = tf.constant([case.image for case in cases])
        answer = model.signatures["serving_default"](image=images)
        for number, case in enumerate(cases):
            at = FIRST_DAY + timedelta(days=7 * (week - 1), minutes=10 * number)
            _, quality = inspect_image(case.image)
            lines.append(
                prediction_line(
                    f"week-{week}-{case.case_id}",
                    at=at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    score=float(np.clip(answer["probability"].numpy()[number], 0, 1)),
                    model_version=champion.version,
                    quality={name: float(value) for name, value in vars(quality).items()},
                    attributes=dict(case.attributes),
                    patient_id=case.patient_id,
                )
            )
        (self.log / f"week-{week:02d}.jsonl").write_bytes(b"".join(lines))
        return len(cases)

    def ran(self, *words: object, code: int | None = 0) -> str:
        """What a command printed; its exit code is asserted unless None."""
        done = subprocess.run(
            [CASEGATE, *map(str, words)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            cwd=self.root,
            env={**os.environ, "NO_COLOR": "1"},
        )
        assert code is None or done.returncode == code, (
            f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout

    def retrain(self, *words: object, code: int | None = None) -> dict[str, Any]:
        """One retraining as a real process; what it came to."""
        where = ("--config", self.config, "--workspace", self.workspace.root)
        said = self.ran("retrain", *where, "--format", "json", *words, code=code)
        return json.loads(said)

    def monitor(self, *words: object) -> dict[str, Any]:
        where = ("--config", self.config, "--workspace", self.workspace.root)
        return json.loads(self.ran("monitor", *where, "--format", "json", *words, code=None))

    def approve_first(self) -> None:
        where = ("--workspace", self.workspace.root)
        self.ran("baseline", "bootstrap", *where, "--by", "Dr. Ito", "--reason", "report read")

    def champion(self) -> Champion | None:
        return find_champion(self.workspace.serving / "pneumonia", self.workspace.runs)

    def entries(self, kind: str) -> list[Any]:
        found = Ledger(self.workspace.ledger).entries()
        return [entry for entry in found if entry.kind == kind]


def listening() -> Iterator[Told]:
    """A real server on loopback that takes what is posted to it, where its signature fits."""
    told = Told("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fits = verify_signature(
                SECRET.encode(),
                self.headers["X-Casegate-Signature"],
                timestamp=self.headers["X-Casegate-Timestamp"],
                delivery=self.headers["X-Casegate-Delivery"],
                body=body,
                now=time.time(),
            )
            if fits:
                told.notices.append(json.loads(body))
            self.send_response(204 if fits else 403)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_address[1]}/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield told
    server.shutdown()
    server.server_close()
