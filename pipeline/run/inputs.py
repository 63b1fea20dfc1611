"""Everything a run rests on, read and hashed before TensorFlow is imported."""

import dataclasses
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from components.attestation.statements import CHAMPION, ENVIRONMENT
from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.golden import load_golden
from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.baselines.scores import aligned
from components.cases.reading import PLAIN, Reading
from components.cases.sources import open_source
from components.cases.spans import KIND, Spans, parse_spans, resolve_spans, span_pattern
from components.cases.traits import FIGURES
from components.decision import load_decision
from components.exports.running import presence
from components.gate.attention import UNKNOWN_LESIONS
from components.gate.policy import Policy, load_policy
from components.gate.preflight import refuse_hopeless
from components.lineage.record import load_record
from components.phantom.source import PhantomSource
from components.records import events
from components.records.case import Source
from components.records.clock import utc_now
from components.records.errors import ConfigError, PolicyError
from components.records.files import sha256_file, sha256_json, sha256_tree, write_atomically
from components.records.ledger.ledger import Ledger
from components.records.ledger.records import waivers, withdrawn
from components.records.run_files import RUN_RECORD, STATISTICS
from components.release.serving import Champion, find_champion
from pipeline.model.networks.source import hash_source
from pipeline.settings.baselines import describe_placeholder, resolve_baseline
from pipeline.settings.config import REPOSITORY, Config
from pipeline.settings.deciding import deciding_sha256
from pipeline.settings.provenance import new_platform, recorded_environment
from pipeline.settings.sections import ModelConfig
from pipeline.settings.workspace import Workspace

SCHEMA = REPOSITORY / "schemas" / "features.pbtxt"
DECLARED = "the training data are declared, not used"


@dataclass(frozen=True)
class Inputs:
    """What the graph is built from.

    Attributes:
      baseline: the folder with `case_set.json`, `policy.yaml` and, once approved, `golden.json`.
      champion: the model now released, or None.
      destination: `serving/<model>`.
      spans: what the pattern in `data.source` found; None where it is no pattern.
      champion_scores: the released model's scores, and their SHA-256, where it is released
        elsewhere; None for either.
      network_sha256: of what decides about the network beside our code; empty where nothing does.
      standing: hash of what people decided that changes a verdict: waivers that hold, and models
        that were rolled back.
    """

    config: Config
    workspace: Workspace
    run_id: str
    created: str
    source: Source
    source_sha256: str
    case_source: Source
    case_source_sha256: str
    baseline: Path
    case_set: CaseSet
    case_set_sha256: str
    policy: Policy
    golden_sha256: str
    champion: Champion | None
    destination: Path
    schema_path: Path
    schema_sha256: str
    standing: str
    spans: Spans | None = None
    champion_scores: tuple[Path, str] | None = None
    network_sha256: str = ""

    @property
    def case_set_path(self) -> Path:
        return self.baseline / CASE_SET

    @property
    def golden_path(self) -> Path:
        return self.baseline / GOLDEN

    @property
    def case_reading(self) -> Reading:
        """How names are read where the case set's images come from."""
        return _case_reading(self.config)

    @cached_property
    def training_sha256(self) -> str:
        """Hash of all that decides what training computes: data, settings, code, versions."""
        return sha256_json(
            {
                "source": self.source_sha256,
                "case_set": self.case_set_sha256,
                "model": self.model_settings()["model"],
                "training": self.config.training.deciding(),
                "skip_bad_cases": self.config.data.skip_bad_cases,
                "exif_orientation": self.config.data.exif_orientation,
                "schema": self.schema_sha256,
                "network": self.network_sha256,
                "code": deciding_sha256(),
            }
        )

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that decides the verdict, but for the champion."""
        return sha256_json(
            {
                "training": self.training_sha256,
                "case_source": self.case_source_sha256,
                "policy": self.policy.sha256,
                "golden": self.golden_sha256,
                "config": self.config.deciding_sha256(),
                "champion_scores": self.champion_scores[1] if self.champion_scores else None,
                "destination": str(self.destination),
                "standing": self.standing,
                "exported_by": presence() if self.config.exports else None,
            }
        )

    @property
    def previous_statistics(self) -> str:
        """Statistics of the data behind the champion; empty where nothing is released."""
        if self.champion is None:
            return ""
        path = self.champion.decision.parent / STATISTICS
        return str(path) if path.exists() else ""

    @property
    def previous_statistics_sha256(self) -> str:
        return sha256_file(Path(self.previous_statistics)) if self.previous_statistics else ""

    @property
    def findings(self) -> tuple[str, ...]:
        """Remarks for the decision: whether other software trained the champion, or this model."""
        told = (f"trained elsewhere, {self.untrained}: {DECLARED}",) if self.untrained else ()
        record = self.champion.decision.with_name(RUN_RECORD) if self.champion else None
        if record is None or not record.exists():
            return told
        return told + new_platform(load_record(record).environment)

    @property
    def untrained(self) -> str:
        """Where the model is trained, if not on the training data here; else empty."""
        model, training = self.config.model, self.config.training
        if model.saved_model is None and training.strategy == "federated":
            return f"at the sites {', '.join(sorted(training.federation.key_files))}"
        return model.saved_model or ""

    def compared_spans(self) -> str:
        """Which spans DataGate compares, as one JSON parameter."""
        names = self.spans.names if self.spans else ()
        newest, previous = (*reversed(names), None, None)[:2]
        return json.dumps({"newest": newest, "previous": previous})

    def admission_policy(self) -> str:
        """What DataGate asks of the pictures, as one JSON parameter."""
        return json.dumps(
            {
                "near_duplicates": self.policy.near_duplicates,
                "shortcuts": dataclasses.asdict(self.policy.shortcuts),
                "figures": FIGURES,
            },
            sort_keys=True,
        )

    def model_settings(self) -> dict[str, Any]:
        """What Transform and Trainer get; JSON, because it is part of their cache key."""
        model = json.loads(json.dumps(dataclasses.asdict(self.config.model)))
        return {
            "model": model,
            "image_size": self.config.model.image_size,
            "network_sha256": self.network_sha256,
        }

    @property
    def lesions(self) -> str:
        """The case set's source, where it knows lesions and a check asks for them; else empty."""
        asked = self.policy.attention.role != "off" and isinstance(self.case_source, PhantomSource)
        return self.case_source.spec if asked else ""

    def release_record(self) -> dict[str, Any]:
        """The part of the release record that is known before training."""
        return {
            "data": self.source.spec,
            "data_sha256": self.source_sha256,
            "labels": dict(self.source.read_as.labels),
            "read_as": list(self.source.read_as.lines),
            "synthetic": self.source.synthetic,
            "exif_orientation": self.config.data.exif_orientation,
            "case_set": f"{self.case_set.name} version {self.case_set.version}",
            "case_set_merkle_root": self.case_set.merkle_root,
            "config_sha256": self.config.sha256(),
            "deciding_sha256": deciding_sha256(),
            "owner": self.config.owner,
            "network": self.config.model.network,
            "network_options": self.config.model.options,
            "saved_model": self.config.model.saved_model,
            "training_data": DECLARED if self.untrained else "used",
            "network_sha256": self.network_sha256,
            "seed": self.config.model.seed,
            "target_sensitivity": self.config.model.target_sensitivity,
        }

    @property
    def released_exports(self) -> list[str]:
        """Kinds of the artefacts that the champion was released with."""
        if self.champion is None or not self.config.exports:
            return []
        return list(load_decision(self.champion.decision).passed_exports)

    def gate_request(self) -> str:
        """What the gate is asked, as one JSON parameter: paths, each with its hash."""
        return json.dumps(
            {
                "run_id": self.run_id,
                "created": self.created,
                "case_set": [str(self.case_set_path), self.case_set_sha256],
                "policy": [str(self.baseline / POLICY), self.policy.sha256],
                "golden": [str(self.golden_path), self.golden_sha256],
                "champion": [str(part) for part in self.champion_scores or ("", "")],
                "findings": self.findings,
                "exports": self.config.exports,
                "released_exports": self.released_exports,
                "trained_elsewhere": bool(self.untrained),
                "training_sha256": self.training_sha256,
                "fingerprint": self.fingerprint,
                "run_folder": str(self.workspace.run_folder(self.run_id)),
                "ledger": str(self.workspace.ledger),
            },
            sort_keys=True,
        )

    @property
    def asks_sites(self) -> bool:
        """Whether this run asks hospitals to judge its candidate."""
        return bool(self.policy.sites) and self.config.site_verdicts.ask

    def site_request(self) -> str:
        """What sites are asked, and where, as one JSON parameter."""
        how = self.config.site_verdicts
        return json.dumps(
            {
                "run_id": self.run_id,
                "policy": self.policy.name,
                "sites": sorted(self.policy.sites),
                "outbox": str(Path(str(how.outbox)).resolve()),
                "inbox": str(Path(str(how.inbox)).resolve()),
                "wait_minutes": how.wait_minutes,
            },
            sort_keys=True,
        )

    @property
    def keys(self) -> Path:
        """The folder of public keys whose signatures count."""
        named = self.config.signing.keys
        return Path(named).resolve() if named else self.baseline / "keys"

    def subjects(self) -> dict[str, list[str]]:
        """What a decision is bound to and is known before it: name -> [path or "", SHA-256]."""
        kept = {POLICY: self.policy.sha256, CASE_SET: self.case_set_sha256}
        if self.golden_sha256:
            kept[GOLDEN] = self.golden_sha256
        found = {name: [str(self.workspace.kept(name, sha)), sha] for name, sha in kept.items()}
        if self.champion:
            found[CHAMPION] = [str(self.champion.path), self.champion.sha256]
        found[ENVIRONMENT] = ["", recorded_environment().sha256]
        return found

    def push_request(self) -> dict[str, Any]:
        """What Pusher is told beside TFX's own settings: what it checks, and who has to sign."""
        return {
            "check_fn": "components.scoring.contract.refuse_unkept",
            "ledger": str(self.workspace.ledger),
            "runs": str(self.workspace.runs),
            "run_folder": str(self.workspace.run_folder(self.run_id)),
            "workspace": str(self.workspace.root),
            "subjects": self.subjects(),
            "keys": str(self.keys),
            "threshold": self.config.signing.threshold,
            "unsigned": self.config.signing.unsigned,
            "problems": str(self.workspace.problems),
        }


def prepare(
    config: Config, workspace: Workspace, run_id: str, *, champion_scores: Path | None = None
) -> Inputs:
    """Opens the sources, the baseline and the destination, and hashes what they hold.

    Args:
      champion_scores: a scores.json of the released model, where it is released elsewhere.

    Raises:
      SourceError, PolicyError, ConfigError, IntegrityError: as their modules say.
    """
    network_sha256 = _network_sha256(config.model)
    spans = _spans(config)
    source = case_source = open_source(
        spans.spec if spans else config.data.source, config.data.reading
    )
    if config.case_set.source is not None:
        case_source = open_source(config.case_set.source, _case_reading(config))
    baseline = resolve_baseline(config, case_source, workspace)
    golden = baseline / GOLDEN
    destination = workspace.destination(config.serving.model_name, config.serving.directory)
    case_set, policy = load_case_set(baseline / CASE_SET), load_policy(baseline / POLICY)
    for line in describe_placeholder(baseline):
        events.publish("notice", detail=line)
    refuse_hopeless(policy, case_set, path=baseline / POLICY)
    if policy.attention.role == "gate" and not isinstance(case_source, PhantomSource):
        raise PolicyError(
            f"{baseline / POLICY}: got attention.role gate, but {UNKNOWN_LESIONS}; only the "
            "phantom's are known, so take the role supporting or off"
        )
    for kind, rule in policy.exports.items():
        if rule.required and kind not in config.exports:
            raise ConfigError(
                f"exports: got {list(config.exports)}, but {baseline / POLICY} releases no model "
                f"without {kind}; add it"
            )
    if golden.exists():
        aligned(load_golden(golden).scores, case_set, who=str(golden))
    champion = find_champion(destination, workspace.runs)
    if champion and champion_scores:
        raise ConfigError(
            f"{champion_scores}: scores of a champion, but {destination} has one; give neither, or "
            "another --workspace"
        )
    created, source_sha256 = utc_now(), source.fingerprint()
    schema_path, schema_sha256 = _snapshot(SCHEMA, workspace)
    # The folder that judges moves on with the next approval; what judged this run stays.
    judging = [path for path in (baseline / CASE_SET, baseline / POLICY, golden) if path.exists()]
    kept = {path.name: _snapshot(path, workspace)[1] for path in judging}
    scores = (champion_scores.resolve(), sha256_file(champion_scores)) if champion_scores else None
    return Inputs(
        config=config,
        workspace=workspace,
        run_id=run_id,
        created=created,
        source=source,
        source_sha256=source_sha256,
        case_source=case_source,
        case_source_sha256=source_sha256 if case_source is source else case_source.fingerprint(),
        baseline=baseline,
        case_set=case_set,
        case_set_sha256=kept[CASE_SET],
        policy=policy,
        golden_sha256=kept.get(GOLDEN, ""),
        champion=champion,
        destination=destination,
        schema_path=schema_path,
        schema_sha256=schema_sha256,
        standing=_standing(Ledger(workspace.ledger), created[:10]),
        spans=spans,
        champion_scores=scores,
        network_sha256=network_sha256,
    )


def _network_sha256(model: ModelConfig) -> str:
    """Of the network's own source, its backbone, or the SavedModel in its place."""
    if model.saved_model is None:
        return hash_source(model.network)
    if not (Path(model.saved_model) / "saved_model.pb").is_file():
        raise ConfigError(
            f"model.saved_model: {model.saved_model}: wanted a folder with a SavedModel"
        )
    return sha256_tree(Path(model.saved_model))


def _case_reading(config: Config) -> Reading:
    """As in the training data; in a file of arrays, or in drawn images, there are no names."""
    named = config.case_set.source
    if named is None:
        return config.data.reading
    files = Path(named).expanduser().is_dir() or "://" in named
    return config.data.reading.of_case_set() if files else PLAIN


def _spans(config: Config) -> Spans | None:
    """The spans that the configuration's window holds, or that it names one by one.

    None where its data come in one piece.
    """
    data = config.data
    named = data.source.startswith(f"{KIND}:")
    if not named and not span_pattern(data.source):
        return None
    if config.case_set.source is None:
        raise ConfigError(
            f"case_set.source: got null beside data.source {data.source}; spans are training data "
            "alone, so name where the case set's images come from"
        )
    if named:
        return parse_spans(data.source)
    return resolve_spans(data.source, window=data.window, window_spans=data.window_spans)


def _standing(ledger: Ledger, day: str) -> str:
    """Hash of the waivers that hold on `day` (ISO 8601) and of the models rolled back."""
    entries = ledger.entries()
    holding = [vars(waiver) for waiver in waivers(entries) if waiver.expires >= day]
    return sha256_json({"waivers": holding, "withdrawn": [vars(w) for w in withdrawn(entries)]})


def _snapshot(path: Path, workspace: Workspace) -> tuple[Path, str]:
    """A copy named by its content, and its SHA-256: TFX's cache sees paths and not contents."""
    sha256 = sha256_file(path)
    copy = workspace.kept(path.name, sha256)
    if not copy.exists() or sha256_file(copy) != sha256:
        write_atomically(copy, path.read_bytes())
    return copy, sha256
