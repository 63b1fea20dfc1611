"""What the files of a bundle are called; shared by who writes one and who checks it."""

from components.baselines.names import CASE_SET, GOLDEN, POLICY
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
    RUN_RECORD,
    SCORES,
)

CONFIG = "config.json"

# Files of the run's folder, which the run record names by hash.
OF_RUN = (DECISION, SCORES, CHAMPION_SCORES, REQUEST, CONFIG, LINEAGE, DIFF, REPORT, HTML_REPORT)

# Signed after the record was closed, or by further persons since: their signatures speak for them.
ATTESTATIONS = (DECISION_ATTESTATION, RELEASE_ATTESTATION)

CACHE = "lineage_cache.json"  # who made what this run took from the cache
LEDGER = "ledger.jsonl"
KEYS = "keys/"
MODEL = "model/"
TRAINING = "training/"
READ_ME = "README.md"
CARD, CARD_HTML = "model_card.md", "model_card.html"

# Written from the files above, and written again by whoever checks.
TRACE, PROV, OPENLINEAGE, BOM = "trace.json", "prov.json", "openlineage.jsonl", "bom.cdx.json"

__all__ = [
    "ATTESTATIONS", "BOM", "CACHE", "CARD", "CARD_HTML", "CASE_SET", "CHAMPION_SCORES", "CONFIG",
    "DECISION", "DECISION_ATTESTATION", "DIFF", "GOLDEN", "HTML_REPORT", "KEYS", "LEDGER",
    "LINEAGE", "MODEL", "OF_RUN", "OPENLINEAGE", "POLICY", "PROV", "READ_ME",
    "RELEASE_ATTESTATION", "REPORT", "REQUEST", "RUN_RECORD", "SCORES", "TRACE", "TRAINING",
]  # fmt: skip


def training_name(root: str) -> str:
    return f"{TRAINING}{root}.jsonl"
