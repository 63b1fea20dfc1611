"""What a drawing of a trace says of each node; the same words in every form."""

from components.bundle.trace_graph import TraceNode
from pipeline.governance.show_ledger import printable

# A path on somebody's disk says little in a picture; JSON and the page have it.
_UNSAID = ("kept in",)
_HASH_NAMES = ("Merkle root", "commit")


def facts(node: TraceNode) -> list[str]:
    """What is known of a node, as 'name value', hashes shortened."""
    found = []
    for name, value in node.facts.items():
        if name in _UNSAID or value is None:
            continue
        words = printable(str(value))
        if name.endswith("_sha256") or name in _HASH_NAMES:
            words = words[:12]
        found.append(f"{printable(name).removesuffix('_sha256')} {words}")
    if node.sha256 is not None and not any(node.sha256 == value for value in node.facts.values()):
        found.append(f"SHA-256 {node.sha256[:12]}")
    return found


def label(node: TraceNode) -> str:
    return printable(node.label)


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
