"""What TFX's Trainer runs where the data stay in hospitals: rounds of asking, checking, averaging.

Nothing is trained here, and the data of this run train nothing: they admit, calibrate and judge.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Importing TensorFlow Transform sets this to 1 where it is unset, and Keras 2 with it.
os.environ["TF_USE_LEGACY_KERAS"] = "0"

import numpy as np
import tensorflow_transform as tft

from components.baselines.case_set import load_case_set
from components.federation.aggregating import aggregate
from components.federation.tuning import GRID, TuningCounts, choose_from_counts
from components.federation.updates import Update, Weights, check_update, hash_weights
from components.records import events
from components.records.clock import utc_now
from components.records.errors import DeviceLost, NothingEvaluated, RefusedUpdate
from components.records.files import sha256_json, sha256_tree
from components.records.problems import report_error
from components.statistics.auc import auc
from pipeline.federation.carrier import pack, unpack
from pipeline.federation.local import weights_by_name
from pipeline.federation.rounds import RoundsDone, checkpoint_path, find_rounds, keep_rounds
from pipeline.federation.sites import LATE, SiteAnswer, Sites, listening, read_keys
from pipeline.model.export import Classifier, export
from pipeline.model.networks.building import build
from pipeline.model.trainer import fix_randomness, read_settings, tuning_sensitivity
from pipeline.settings.deciding import deciding_sha256
from pipeline.settings.federation import FederationConfig
from pipeline.settings.provenance import environment, git_state
from pipeline.settings.sections import ModelConfig

SHA256 = "[0-9a-f]{64}"
SPARE_BYTES = 1_000_000  # of an answer, beside its weights
# What a site registers with, each with the type that it has to have.
REGISTERED = {
    **dict.fromkeys(("examples", "positives", "tuning_cases", "training_cases"), int),
    **dict.fromkeys(("training_root", "data_sha256"), str),
}


def run_fn(fn_args: Any) -> None:
    """TFX's entry point; see `pipeline.model.trainer.run_fn`."""
    given = fn_args.custom_config
    with report_error(given["problems"]):
        model, how = read_settings(given)
        fix_randomness(model.seed)
        network = build(model)
        training = FederatedTraining(
            model, how.federation, Path(given["problems"]).parent, request_of(given, fn_args)
        )
        weights, found = training.run(weights_by_name(network.model), locked_pixels(given))
        network.model.set_weights(list(weights.values()))
        transform = tft.TFTransformOutput(fn_args.transform_graph_path)
        point = found["operating_point"]
        classifier = Classifier(network.model, transform, point, network.explained)
        record = given["record"] | environment() | git_state()
        found |= {"training": {**dataclasses.asdict(how), "devices": 1}, "trained": utc_now()}
        export(classifier, fn_args.serving_model_dir, record | found)
        training.path.unlink(missing_ok=True)


def request_of(given: Mapping[str, Any], fn_args: Any) -> dict[str, Any]:
    """What is asked of the sites in all rounds; a site with anything else takes no part."""
    federation = read_settings(given)[1].federation
    return {
        "model": given["model"],
        "federation": federation.deciding(),
        "network_sha256": given["network_sha256"],
        "transform_sha256": hash_transform(fn_args.transform_graph_path),
        "deciding_sha256": deciding_sha256(),
    }


def hash_transform(folder: str) -> str:
    """SHA-256 of Transform's graph: it has no analyzers, so it is the same on whatever data."""
    return sha256_tree(Path(folder) / tft.TFTransformOutput.TRANSFORM_FN_DIR)


def locked_pixels(given: Mapping[str, Any]) -> bytes:
    """SHA-256 of every locked picture, 32 bytes each: sites look for them in what they train on."""
    cases = load_case_set(Path(given["case_set"])).cases
    return b"".join(sorted(bytes.fromhex(case.pixels_sha256) for case in cases))


@dataclass
class FederatedTraining:
    """Attributes:
    folder: of the workspace.
    """

    model: ModelConfig
    how: FederationConfig
    folder: Path
    request: Mapping[str, Any]

    def __post_init__(self) -> None:
        self.request_sha256 = sha256_json(self.request)
        self.path = checkpoint_path(self.folder, self.request_sha256)

    def run(self, before: Weights, locked: bytes) -> tuple[Weights, dict[str, Any]]:
        """The weights after the last round, and what the release record says of them."""
        done = find_rounds(self.path, self.request_sha256, before)
        if done.done:
            events.publish("progress", detail=f"goes on after round {len(done.done)}")
        with listening(self.how, self.folder / "federation.log") as sites:
            joined: dict[str, dict[str, Any]] = {}
            while len(done.done) < self.how.rounds:
                present = self._register(sites, joined, locked)
                self._round(sites, done, {site: joined[site] for site in present})
                keep_rounds(self.path, self.request_sha256, done)
                for site, fault in done.done[-1]["left_out"].items():
                    if fault != LATE:  # it may be another process by now, and asks to be greeted
                        joined.pop(site, None)
            present = self._register(sites, joined, locked)
            counts, left_out = self._tune(sites, done, {site: joined[site] for site in present})
            found = self._found(done, counts, left_out)
            sites.dismiss({"do": "end", "weights_sha256": hash_weights(done.weights)})
        return done.weights, found

    def _register(
        self, sites: Sites, joined: dict[str, dict[str, Any]], locked: bytes
    ) -> list[str]:
        """The sites that are there and fit; those that are new are asked what they have."""
        present = sites.wait_for(everybody=not joined)
        new = {site: {"do": "hello", "request": self.request} for site in present}
        new = {site: words for site, words in new.items() if site not in joined}
        refused: dict[str, str] = {}
        for answer in sites.ask(new, locked, most_bytes=SPARE_BYTES) if new else ():
            fault = answer.fault or _misfit(answer.words)
            if fault:
                _leave_out(refused, answer.site, fault)
            else:
                joined[answer.site] = {name: answer.words[name] for name in REGISTERED}
                events.publish("progress", detail=f"site {answer.site} joined")
        fit = [site for site in present if site in joined]
        self._refuse_few(fit, refused, "joining")
        return fit

    def _round(
        self, sites: Sites, done: RoundsDone, asked: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """One more round, of the sites whose weights can be used."""
        number = len(done.done) + 1
        payload = pack(done.weights)
        words = {"do": "train", "round": number, "rounds": self.how.rounds}
        words |= {"epochs": self.how.local_epochs}
        words |= {"proximal": self.how.proximal if self.how.algorithm == "fedprox" else 0.0}
        updates: list[Update] = []
        taken: dict[str, Any] = {}
        left_out: dict[str, str] = {}
        most = 2 * len(payload) + SPARE_BYTES
        for answer in sites.ask({site: words for site in asked}, payload, most_bytes=most):
            try:
                update = _update(answer, number, most)
                examples = asked[answer.site]["examples"]
                check_update(update, done.weights, examples, self.how.norm_bound, number=number)
            except RefusedUpdate as error:
                _leave_out(left_out, answer.site, str(error))
                continue
            updates.append(update)
            size = {"examples": update.examples, "bytes": len(answer.payload)}
            taken[answer.site] = {**size, "sha256": update.sha256}
        self._refuse_few(list(taken), left_out, f"round {number}")
        after = aggregate(
            updates,
            list(done.weights.values()),
            robust=self.how.robust,
            weight_cap=self.how.weight_cap,
        )
        done.weights = dict(zip(done.weights, after))
        done.sites |= {site: dict(asked[site]) for site in taken}
        record = {"round": number, "sites": dict(sorted(taken.items())), "left_out": left_out}
        done.done.append({**record, "weights_sha256": hash_weights(done.weights)})
        detail = f"round {number}/{self.how.rounds}  {', '.join(sorted(taken))}"
        events.publish("progress", detail=detail, done=number, total=self.how.rounds)

    def _tune(
        self, sites: Sites, done: RoundsDone, asked: Mapping[str, Mapping[str, Any]]
    ) -> tuple[list[TuningCounts], dict[str, str]]:
        counts: list[TuningCounts] = []
        left_out: dict[str, str] = {}
        words = {site: {"do": "tune"} for site in asked}
        for answer in sites.ask(words, pack(done.weights), most_bytes=SPARE_BYTES):
            try:
                counts.append(_counts(answer, asked[answer.site]["tuning_cases"]))
            except RefusedUpdate as error:
                _leave_out(left_out, answer.site, str(error))
        self._refuse_few([each.site for each in counts], left_out, "tuning")
        return sorted(counts, key=lambda each: each.site), left_out

    def _refuse_few(self, usable: Sequence[str], left_out: Mapping[str, str], when: str) -> None:
        if len(usable) < self.how.min_sites:
            why = "; ".join(f"{site}: {fault}" for site, fault in left_out.items())
            raise DeviceLost(
                f"training, {when}: got usable answers of {len(usable)} sites, wanted "
                f"{self.how.min_sites} (training.federation.min_sites){why and '; '}{why}"
            )

    def _found(
        self, done: RoundsDone, counts: Sequence[TuningCounts], left_out: Mapping[str, str]
    ) -> dict[str, Any]:
        """What the release record says, beside what every training does."""
        point = choose_from_counts(counts, target_sensitivity=self.model.target_sensitivity)
        scores, labels = scores_of(counts)
        keys = read_keys(self.how)
        sites = {
            site: {**each, "key_sha256": hashlib.sha256(keys[site].encode()).hexdigest()}
            for site, each in sorted(done.sites.items())
        }
        return {
            "operating_point": point,
            "tuning_sensitivity": tuning_sensitivity(scores, labels, np.arange(labels.size), point),
            "tuning_auc": auc(scores, labels == 1).estimate,
            "tuning_cases": int(labels.size),
            "training_cases": sum(each["examples"] for each in sites.values()),
            "epochs": len(done.done) * self.how.local_epochs,
            "best_epoch": len(done.done) * self.how.local_epochs,
            "phases": [],
            "federation": {
                **self.how.deciding(),
                "request_sha256": self.request_sha256,
                "sites": sites,
                "rounds": done.done,
                "tuning": {
                    "grid": f"0, {GRID[1]:g}, ..., 1",
                    "sites": [each.site for each in counts],
                    "left_out": dict(left_out),
                    "patients": "not known here: every image counts as a patient",
                },
                "weights_sha256": hash_weights(done.weights),
            },
        }


def scores_of(counts: Sequence[TuningCounts]) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels, shape (n,), with these counts: each score is the step below it."""
    found = []
    for label, kind in enumerate(("negatives", "positives")):
        reached = np.sum([getattr(each, kind) for each in counts], axis=0)
        steps = np.repeat(np.asarray(GRID), -np.diff(reached, append=0))
        found.append((steps, np.full(steps.size, label)))
    scores, labels = (np.concatenate(parts) for parts in zip(*found))
    return scores, labels


def _misfit(words: Mapping[str, Any]) -> str | None:
    """Why a site cannot be registered with these words; None where it can."""
    for name, kind in REGISTERED.items():
        if not _sound(words.get(name), kind):
            return f"it registered with {name} {json.dumps(words.get(name))[:80]}"
    if not 0 < words["examples"] <= words["training_cases"]:
        return f"it registered with {words['examples']} of {words['training_cases']} images"
    return None


def _sound(got: Any, kind: type) -> bool:
    whole = type(got) is int and got >= 0
    return whole if kind is int else type(got) is str and bool(re.fullmatch(SHA256, got))


def _update(answer: SiteAnswer, number: int, most_bytes: int) -> Update:
    """Raises RefusedUpdate where the answer is none."""
    if answer.fault:
        raise RefusedUpdate(answer.fault)
    try:
        weights = unpack(answer.payload, most_bytes=most_bytes)
    except ValueError as error:
        raise RefusedUpdate(f"site {answer.site}, round {number}: {error}") from None
    said = answer.words
    return Update(
        answer.site, said.get("round", 0), weights, said.get("examples", 0), said.get("positives")
    )


def _counts(answer: SiteAnswer, cases: int) -> TuningCounts:
    """Raises RefusedUpdate where they are none, or of more or fewer cases than registered."""
    if answer.fault:
        raise RefusedUpdate(answer.fault)
    given: list[Any] = [answer.words.get(kind) for kind in ("positives", "negatives")]
    for each in given:
        whole = type(each) is list and all(type(n) is int and 0 <= n <= cases for n in each)
        if not whole or len(each) != len(GRID):
            raise RefusedUpdate(f"it sent no {len(GRID)} counts of its {cases} tuning cases")
    counts = TuningCounts(answer.site, *(tuple(each) for each in given))
    with contextlib.suppress(NothingEvaluated):  # it may have no positive
        choose_from_counts([counts], target_sensitivity=0.5)
    if (total := counts.positives[0] + counts.negatives[0]) != cases:
        raise RefusedUpdate(f"it counted {total} tuning cases, and registered with {cases}")
    return counts


def _leave_out(left_out: dict[str, str], site: str, fault: str) -> None:
    left_out[site] = fault
    events.publish("notice", detail=f"site {site} left out: {fault}")
