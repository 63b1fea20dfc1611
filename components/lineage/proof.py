"""Proves that a picture is, or is not, among a model's training cases, without showing the others.

Whoever knows the manifest's Merkle root and its number of cases can check a proof with nothing but
SHA-256. That a picture is in takes its line and the path of hashes from there to the root. That it
is not takes the two lines between which its hash would stand, which are next to each other, or the
one at an end; this rests on the manifest being in order, which whoever reads a manifest checks and
whoever knows its root alone cannot.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components.lineage.training import TrainingRow, parse_row, read_lines, read_manifest
from components.records.errors import IntegrityError
from components.records.files import canonical_json, write_output, writing_to
from components.records.merkle import inclusion_paths, leads_to_root, merkle_root
from components.records.schema import read_json

SCHEMA_VERSION = 1
IN, OUT = "in", "out"


@dataclass(frozen=True)
class Leaf:
    """A line of the manifest and where it stands.

    Attributes:
      index: counted from 0.
      line: the line as it is, without its line feed.
      path: hashes (hex) from the line up to the root.
    """

    index: int
    line: str
    path: tuple[str, ...]

    def row(self) -> TrainingRow | None:
        """The case in the line; None where it is none, or not spelled canonically."""
        line = self.line.encode("utf-8", "surrogatepass")
        row = parse_row(line)
        return row if row is not None and row.line() == line else None


@dataclass(frozen=True)
class Proof:
    """Attributes:
    root, cases: of the manifest.
    pixels_sha256: of the picture that was asked about.
    verdict: 'in' or 'out'.
    leaves: the case with that picture; or its neighbours, first the one before it.
    """

    root: str
    cases: int
    pixels_sha256: str
    verdict: str
    leaves: tuple[Leaf, ...]


def prove(manifest: Path, pixels_sha256: str, *, root: str | None = None) -> Proof:
    """Proves from a manifest whether it has a picture; of several such cases, by the first.

    Raises:
      IntegrityError: the manifest is missing or was altered, or is not the one with this root.
    """
    cases, place, is_in = 0, 0, False
    for row in read_manifest(manifest, root=root):
        cases += 1
        if row.pixels_sha256 < pixels_sha256:
            place = cases
        is_in = is_in or row.pixels_sha256 == pixels_sha256
    wanted = [place] if is_in else [i for i in (place - 1, place) if 0 <= i < cases]
    paths = inclusion_paths(read_lines(manifest), wanted)
    lines = {i: line for i, line in enumerate(read_lines(manifest)) if i in wanted}
    leaves = (Leaf(i, lines[i].decode(), path) for i, path in zip(wanted, paths, strict=True))
    verdict = IN if is_in else OUT
    return Proof(root or manifest.stem, cases, pixels_sha256, verdict, tuple(leaves))


def check_proof(proof: Proof, root: str, cases: int) -> None:
    """Checks a proof against what is known of the manifest, and against nothing else.

    Args:
      root, cases: as the run's record has them.

    Raises:
      IntegrityError: naming what does not hold.
    """
    if fault := _fault_in(proof, root, cases):
        raise IntegrityError(f"picture {proof.pixels_sha256[:12]}...: not proven: {fault}")


def _fault_in(proof: Proof, root: str, cases: int) -> str | None:
    if proof.root != root:
        return f"the proof is of root {proof.root[:12]}..., wanted {root[:12]}..."
    if proof.cases != cases:
        return f"the proof is of {proof.cases} cases, wanted {cases}"
    rows = []
    for leaf in proof.leaves:
        row = leaf.row()
        if row is None:
            return f"line {leaf.index + 1} is not a training case"
        line = leaf.line.encode()
        if not leads_to_root(line, leaf.index, leaf.path, root=root, count=cases):
            return f"its path does not lead from line {leaf.index + 1} of {cases} to the root"
        rows.append(row)
    if proof.verdict == IN:
        if len(rows) == 1 and rows[0].pixels_sha256 == proof.pixels_sha256:
            return None
        return "wanted one line, with this picture"
    if proof.verdict != OUT:
        return f"got verdict {proof.verdict!r}, wanted {IN} or {OUT}"
    return _fault_of_neighbours(proof, rows)


def _fault_of_neighbours(proof: Proof, rows: list[TrainingRow]) -> str | None:
    """What is wrong with a proof that a picture is not in, whose lines are in the tree."""
    at = [leaf.index for leaf in proof.leaves]
    if not at:
        empty = proof.cases == 0 and proof.root == merkle_root(())
        return None if empty else "it names no neighbour, and the manifest is not empty"
    before = [row for row in rows if row.pixels_sha256 < proof.pixels_sha256]
    after = [row for row in rows if row.pixels_sha256 > proof.pixels_sha256]
    if len(rows) == 2 and rows == before + after and len(before) == 1:
        adjacent = at[1] == at[0] + 1
        return None if adjacent else f"lines {at[0] + 1} and {at[1] + 1} are not neighbours"
    if len(rows) == 1 and before:
        last = at[0] == proof.cases - 1
        return None if last else f"line {at[0] + 1} is before it, and not the last"
    if len(rows) == 1 and after:
        return None if at[0] == 0 else f"line {at[0] + 1} is after it, and not the first"
    return "the picture does not belong between these lines"


def save_proof(proof: Proof, path: Path) -> None:
    """Writes a proof, as schemas/training_proof.json says; ConfigError where it cannot be."""
    with writing_to(path):
        write_output(path, canonical_json(proof_document(proof)) + b"\n")


def proof_document(proof: Proof) -> dict[str, Any]:
    return {"schema_version": SCHEMA_VERSION, **asdict(proof)}


def load_proof(path: Path) -> Proof:
    """The proof in `path`, unchecked.

    Raises:
      IntegrityError: unreadable, or against schemas/training_proof.json.
    """
    document = read_json(path, "training_proof")
    leaves = (Leaf(leaf["index"], leaf["line"], tuple(leaf["path"])) for leaf in document["leaves"])
    named = {name: document[name] for name in ("root", "cases", "pixels_sha256", "verdict")}
    return Proof(**named, leaves=tuple(leaves))
