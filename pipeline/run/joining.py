"""`casegate site join`: admits a hospital's own data by its own rules, then trains with others.

It is a run of the hospital's own workspace, with a record, a ledger entry and the manifest of what
was trained on; so the hospital can prove later which images were, and which were not.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.lineage.graph import WROTE, Graph
from components.lineage.reader import MetadataStore
from components.lineage.record import Why
from components.records import events
from components.records.clock import time_id
from components.records.errors import ConfigError, DeviceLost
from components.records.files import sha256_json, write_atomically
from components.records.run_files import LOG
from pipeline.federation.carrier import flower_python, start_carrier
from pipeline.run.engine import beam_arguments
from pipeline.run.inputs import Inputs, prepare
from pipeline.run.recorder import Recorder, close_dead, keep_training_data
from pipeline.run.runner import noise_to, run_graph
from pipeline.settings.config import Config
from pipeline.settings.federation import SiteConfig
from pipeline.settings.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.federation.answering import JoinedSite

FEDERATION = "federation.json"  # in the run's folder: what left this site
UNKNOWN = "No SuperNode found with the given public key."
AGAIN_S = 5.0


def join(config: Config, root: Path, *, listener: Callable[[events.Event], None]) -> None:
    """Takes part in one training of others, to its end.

    Args:
      root: the site's workspace.

    Raises:
      CasegateError: whatever kept it from that.
    """
    given = _complete(config.site)
    flower_python()
    workspace = Workspace(root.resolve())
    workspace.refuse_pattern()
    why = Why("manual", f"joins the training of {given.coordinator}")
    with workspace.opened(), events.listen(listener):
        workspace.keep_store_at(config.metadata)
        close_dead(workspace)
        with Recorder(config, workspace, time_id(), why).recording() as recorder:
            events.publish("started", "inputs")
            inputs = prepare(config, workspace, recorder.record.run_id)
            recorder.record_inputs(inputs)
            events.publish("finished", "inputs")
            log = recorder.folder / LOG
            arguments = beam_arguments(config.beam, [workspace.root])
            run_graph(inputs, log, arguments, "create_admission")
            with noise_to(log):
                site = _site(inputs)
                events.publish("started", "federation")
                answer_to_the_end(given, site, log)
                events.publish("finished", "federation")
            write_atomically(recorder.folder / FEDERATION, _left(site))
            recorder.end("joined", exit_code=0)


def _complete(given: SiteConfig) -> SiteConfig:
    for name in ("coordinator", "ca", "key"):
        if getattr(given, name) is None:
            raise ConfigError(f"site.{name}: got null, wanted one; docs/federated.md says which")
    for name in ("ca", "key"):
        path = Path(getattr(given, name))
        try:
            path.read_bytes()
        except OSError as error:
            raise ConfigError(f"site.{name}: {path}: cannot be read: {error}") from None
    return given


def _site(inputs: Inputs) -> "JoinedSite":
    """What the graph wrote of this site's data, opened."""
    os.environ["TF_USE_LEGACY_KERAS"] = "0"
    import tensorflow_transform as tft

    from pipeline.federation.answering import JoinedSite
    from pipeline.model.batches import open_records

    workspace, model = inputs.workspace, inputs.config.model
    with MetadataStore(workspace.store) as store:
        graph = store.run_graph(workspace.pipeline_run(inputs.run_id))
    examples, index, transform = (
        _written(graph, *which)
        for which in (
            ("Examples", "TrainingCases"),
            ("CasegateCaseIndex", "TrainingCases"),
            ("TransformGraph", "Transform"),
        )
    )
    prepared = tft.TFTransformOutput(str(transform))
    train, tune = (
        open_records([str(examples / f"Split-{split}" / "*")], prepared, model.image_size)
        for split in ("train", "tune")
    )
    return JoinedSite(
        model=model,
        network_sha256=inputs.network_sha256,
        transform=transform,
        train=train,
        tune=tune,
        training=keep_training_data(index, workspace.training),
        data_sha256=inputs.source_sha256,
    )


def _written(graph: Graph, kind: str, component: str) -> Path:
    runs = {each.id for each in graph.executions if each.component == component}
    wrote = {e.artifact_id for e in graph.events if e.kind == WROTE and e.execution_id in runs}
    (uri,) = (each.uri for each in graph.artifacts if each.id in wrote and each.type == kind)
    return Path(str(uri))


def answer_to_the_end(given: SiteConfig, site: "JoinedSite", log: Path) -> None:
    """Answers the coordinator until it says that the training is over.

    One that is not there yet, or not any more, is waited for.

    Raises:
      ConfigError: nobody answers there, or nobody knows this site.
      DeviceLost: nothing was heard any more.
    """
    settings = {"address": given.coordinator, "ca": given.ca, "key": given.key}
    wait_s, joined, heard = 60 * given.wait_minutes, False, time.monotonic()
    while site.ended is None:
        try:
            with start_carrier("site", settings, log) as carrier:
                while True:
                    told, payload = carrier.hear(max(1.0, heard + wait_s - time.monotonic()))
                    if "fault" in told:
                        _give_up_or_say(given, str(told["fault"]))
                        break
                    joined, heard = True, time.monotonic()
                    if "asked" in told:
                        carrier.tell(*site.answer(told["asked"], payload))
                    elif "joined" in told:
                        events.publish("notice", detail=f"joined {given.coordinator}")
                    elif site.ended is not None:  # and that it heard so is on its way
                        return
        except DeviceLost as error:
            if not joined:
                raise ConfigError(f"site.key or site.ca: {error}; correct it") from None
            events.publish("notice", detail=str(error))
        except TimeoutError:
            heard = -wait_s
        if heard + wait_s < time.monotonic():
            kind = DeviceLost if joined else ConfigError
            raise kind(
                f"site.coordinator: nothing was heard of {given.coordinator} for "
                f"{given.wait_minutes} minutes (site.wait_minutes); a run has to train there, with "
                f"a certificate of that name that {given.ca} signed"
            )
        time.sleep(AGAIN_S)


def _give_up_or_say(given: SiteConfig, fault: str) -> None:
    if UNKNOWN in fault:
        raise ConfigError(
            f"site.key: {given.coordinator} does not know {given.key}, or does not any more; have "
            f"{given.key}.pub listed there under training.federation.sites"
        )
    events.publish("notice", detail=f"{given.coordinator}: {fault}; tries again")


def _left(site: "JoinedSite") -> bytes:
    """What the site sent, for its own record."""
    request: dict[str, Any] = dict(site.request or {})
    ended = dict(site.ended or {})
    document = {
        "request_sha256": sha256_json(request),
        "request": request,
        "training_root": site.training.root,
        "updates": site.updates,
        "weights_sha256": ended.get("weights_sha256"),
    }
    return json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"
