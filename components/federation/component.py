"""SiteVerdicts: asks the sites that the policy names, as a component of the graph.

It runs anew in every run, as a verdict answers one run's request alone.
"""

import json
from datetime import timedelta
from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Model
from tfx.utils import path_utils

from components.artifacts import SiteAnswersArtifact
from components.attestation.keys import load_signers
from components.attestation.site import signed_request
from components.federation.asking import ask_sites
from components.records import events
from components.records.clock import current_time, time_text
from components.records.files import sha256_tree, write_atomically
from components.records.problems import report_error
from components.records.run_files import SITES


@component
def SiteVerdicts(
    model: InputArtifact[Model],
    answers: OutputArtifact[SiteAnswersArtifact],
    request: Parameter[str],
    problems: Parameter[str],
) -> None:
    """Writes `sites.json`: the request, signed by the run's keys, and each site's answer.

    Args:
      request: JSON: `run_id`, `policy`, its name; `sites`, their names; `outbox`, `inbox`,
        `wait_minutes`.
    """
    with report_error(problems):
        asked = json.loads(request)
        candidate = Path(path_utils.serving_model_path(model.uri))
        now, wait = current_time(), timedelta(minutes=asked["wait_minutes"])
        envelope = signed_request(
            sha256_tree(candidate),
            load_signers(),
            run_id=asked["run_id"],
            policy=asked["policy"],
            asked_at=time_text(now),
            answer_by=time_text(now + wait),
        )
        found = ask_sites(
            candidate,
            envelope,
            asked["sites"],
            run_id=asked["run_id"],
            outbox=Path(asked["outbox"]),
            inbox=Path(asked["inbox"]),
            wait_s=wait.total_seconds(),
            say=lambda line: events.publish("progress", detail=line),
        )
        write_atomically(Path(answers.uri) / SITES, found.to_bytes())
