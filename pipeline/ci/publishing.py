"""A workspace's released model put where CI finds it: which it is, and its scores."""

from pathlib import Path

from components.baselines.case_set import load_case_set
from components.baselines.names import CASE_SET
from components.baselines.scores import CaseScores
from components.decision import load_decision
from components.records.errors import ConfigError
from components.records.ledger.ledger import Ledger
from components.records.ledger.records import releases
from components.release.serving import Champion, find_champion
from pipeline.ci.registry import Published, open_store, publish
from pipeline.governance.decided import DecidedRun
from pipeline.settings.baselines import SHIPPED_BASELINES, locked_source
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace


def publish_release(config: Config, root: Path, address: str) -> tuple[Published, str]:
    """Publishes the model that is released in a workspace; returns it and the place.

    Its scores on the locked case set are those of its run; on the development case set, where the
    configuration names one, it is scored now, which imports TensorFlow.

    Raises:
      ConfigError: nothing is released there.
      IntegrityError: the release, its decision or its scores were altered.
    """
    workspace, store = Workspace(root.resolve()), open_store(address)
    served = workspace.destination(config.serving.model_name, config.serving.directory)
    champion = find_champion(served, workspace.runs)
    if champion is None:
        raise ConfigError(f"{served}: nothing is released there, so there is nothing to publish")
    decision = load_decision(champion.decision)
    scores = {
        str(decision.hashes["case_set"]): DecidedRun(champion.decision.parent, decision).scores()
    }
    if config.ci.baseline:
        scores |= _on_development(config, champion)
    known = [
        entry.at
        for entry in releases(Ledger(workspace.ledger).entries())
        if (entry.version, entry.model_sha256) == (champion.version, champion.sha256)
    ]
    released = known[-1] if known else decision.created
    published = Published(champion.version, champion.sha256, released, decision.decision_sha256)
    return publish(store, published, scores), store.label


def _on_development(config: Config, champion: Champion) -> dict[str, CaseScores]:
    from pipeline.run.model_scores import score_models

    folder = Path(config.ci.directory or SHIPPED_BASELINES) / str(config.ci.baseline)
    place = folder / CASE_SET
    if not place.is_file():
        raise ConfigError(
            f"ci.baseline: got {folder}, which has no {CASE_SET}; lock the development cases with "
            "`casegate cases lock`"
        )
    case_set = load_case_set(place)
    source = locked_source(place, case_set, named=config.ci.source)
    return {case_set.merkle_root: score_models({"": champion.path}, case_set, source)[""]}
