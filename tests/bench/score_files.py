"""A case set of any size with score files of three models, as a team without a pipeline has them.

python -m tests.bench.score_files --cases 1000000 --folder FOLDER
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from components.baselines.case_set import lock_cases, save_case_set
from components.records.case import CaseRecord

VALUES = 10  # of each of two attributes: twenty slices
POINT = 0.5

HEAD = """\
name: bench
leakage: stop
planned_looks: 10
descriptive_slices: [device, site]
negative_flips: {ceiling: 0.05, rationale: bench}
checks:
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    write_files(arguments.cases, arguments.folder)


def write_files(cases: int, folder: Path) -> None:
    """`case_set.json`, `policy.yaml` and a Parquet file for each of three models."""
    draws = np.random.default_rng(1)
    labels = draws.integers(0, 2, cases)
    devices, sites = draws.integers(0, VALUES, (2, cases))
    ids = [f"case-{i:07d}" for i in range(cases)]
    seen = (
        CaseRecord(
            case_id=name,
            label=int(labels[i]),
            bytes_sha256=hashlib.sha256(f"bytes {i}".encode()).hexdigest(),
            pixels_sha256=hashlib.sha256(f"pixels {i}".encode()).hexdigest(),
            patient_id=f"patient-{i * 10 // 13:07d}",  # three in ten come back
            attributes={"device": f"device-{devices[i]}", "site": f"site-{sites[i]}"},
        )
        for i, name in enumerate(ids)
    )
    lock = lock_cases(
        seen, name="bench", author="bench", reason="bench", date="2026-01-31", source="none"
    )
    save_case_set(lock, folder / "case_set.json")
    (folder / "policy.yaml").write_text(HEAD + "".join(_checks()), encoding="utf-8")
    truth = 2.2 * (2 * labels - 1) + 1.3 * draws.normal(size=cases)
    for name in ("candidate", "champion", "golden"):
        scores = 1 / (1 + np.exp(-(truth + 0.1 * draws.normal(size=cases))))
        table = pyarrow.table({"case_id": pyarrow.array(ids), "score": pyarrow.array(scores)})
        pyarrow.parquet.write_table(table, folder / f"{name}.parquet")


def _checks() -> list[str]:
    slices = [f"{{{a}: '{a}-{i}'}}" for a in ("device", "site") for i in range(VALUES)]
    judged = [("sensitivity", "overall"), ("specificity", "overall"), ("auc", "overall")]
    judged += [(("sensitivity", "specificity")[i % 2], piece) for i, piece in enumerate(slices)]
    return [
        f"  - {{metric: {metric}, slice: {piece}, floor: 0.8, margin: 0.05, rationale: bench}}\n"
        for metric, piece in judged
    ]


if __name__ == "__main__":
    main()
