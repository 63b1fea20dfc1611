"""What the files of a bundle are called; shared by who writes one and who checks it."""

from components.records.export import EXPORTS
from components.records.run_files import (
    CHAMPION_SCORES,
    DECISION,
    DECISION_ATTESTATION,
    DIFF,
    HTML_REPORT,
    LINEAGE,
    RELEASE_ATTESTATION,
    REPORT,
    REQUEST,
    SCORES,
    SITES,
)
from pipeline.evidence.subject import CONFIG

# Files of the run's folder, which the run record names by hash.
OF_RUN = (
    *(DECISION, SCORES, CHAMPION_SCORES, SITES, REQUEST, CONFIG, LINEAGE, DIFF),
    *(REPORT, HTML_REPORT),
)

# Signed after the record was closed, or by further persons since: their signatures speak for them.
ATTESTATIONS = (DECISION_ATTESTATION, RELEASE_ATTESTATION)

CACHE = "lineage_cache.json"  # who made what this run took from the cache
LEDGER = "ledger.jsonl"
KEYS = "keys/"
MODEL = "model/"
TRAINING = "training/"
EXPORTED = f"{EXPORTS}/"  # a folder for each kind, laid out as in the run's folder
READ_ME = "README.md"
CARD, CARD_HTML = "model_card.md", "model_card.html"

# Written from the files above, and written again by whoever checks.
TRACE, PROV, OPENLINEAGE, BOM = "trace.json", "prov.json", "openlineage.jsonl", "bom.cdx.json"


def training_name(root: str) -> str:
    return f"{TRAINING}{root}.jsonl"
