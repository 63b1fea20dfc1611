"""The part of the source that decides: what trains, scores and judges, and all that it imports.

An edit of it trains and judges anew. An edit elsewhere, of a page or a command, does not: it would
train the same model again, spend a look at the locked cases, and release the model twice.
"""

import hashlib
from functools import lru_cache

from components.records.files import sha256_file, sha256_json
from pipeline.settings.config import REPOSITORY
from pipeline.settings.provenance import environment

# Package -> modules: the import closure of the model's code and of the components that read cases,
# admit data, score and judge, with the graph, its inputs, and the program that scores.
MODULES = {
    "components": "artifacts decision",
    "components.admission": "columns component duplicates findings likeness shortcuts",
    "components.attestation": "envelope key_files keys site statements",
    "components.baselines": "case_set export_scores golden names scores",
    "components.cases": """
        columns component container dicom dicom_folder example files folder images index label_table
        labels lock manifest npz odd patients reading repeats sources spans splits traits
    """,
    "components.dicom": """
        admission codestream decoders facts files greys header index libjpeg pixels pseudonyms web
    """,
    "components.exports": """
        component conversing exporting javascript_running pixels running source tfjs tflite
        tflite_conversion tflite_metadata tflite_running tflite_session
    """,
    "components.federation": "aggregating tuning updates",
    "components.gate": """
        attention component conditions decide describe evaluation exports judged_cases policy
        preconditions privacy record rules self_test sites waiving
    """,
    "components.lineage": "record training",
    "components.metrics": "__init__ auc calibration calls outputs",
    "components.phantom": "arithmetic detector findings sites source spec",
    "components.privacy": "mechanism",
    "components.records": """
        case case_index chain clock errors events export files git json_lines merkle problems rows
        run_files schema text yaml_lines
    """,
    "components.records.ledger": "ledger records",
    "components.scoring": """
        attention component operating_point reference score served serving_session serving_terms
        spread
    """,
    "components.statistics": """
        auc calibration calibration_line clustered intervals mcnemar multiplicity paired
        random_effects
    """,
    "pipeline.federation": "answering carrier coordinator local rounds sites",
    "pipeline.model": """
        augmentation batches board cluster convolution epochs explanation export faults features
        member phases preprocessing private ready_made replicated trainer
    """,
    "pipeline.model.networks": """
        backbones building contract efficientnet efficientnet_b0 small source state_dict
    """,
    "pipeline.run": "inputs pipeline",
    "pipeline.settings": "config deciding federation provenance sections training",
}
# What makes and asks graph models of TensorFlow.js, which no module imports.
PROGRAMS = {
    "components/exports/converter": "convert.py uv.lock",
    "pipeline/federation/flower": "carry.py uv.lock",
    "components/exports/javascript": """
        ask.js ask_page.js chromium.js model.js package-lock.json pixels.js
    """,
}


@lru_cache(maxsize=1)
def deciding_sha256() -> str:
    """SHA-256 (hex) over the sources that decide, and the versions of the packages that do."""
    digest = hashlib.sha256(sha256_json(environment()).encode())
    files = [
        f"{package.replace('.', '/')}/{name}.py"
        for package, names in MODULES.items()
        for name in names.split()
    ]
    files += [f"{folder}/{name}" for folder, names in PROGRAMS.items() for name in names.split()]
    for path in files:
        digest.update(f"{path}\0{sha256_file(REPOSITORY / path)}".encode())
    return digest.hexdigest()
