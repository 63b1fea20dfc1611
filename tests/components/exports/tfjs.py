"""What `make tfjs` builds, for the tests that need it."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.foreign import needs

CHECKOUT = Path(__file__).parents[3]
BUILT = CHECKOUT / "build" / "tfjs"
JAVASCRIPT = CHECKOUT / "components" / "exports" / "javascript"


def needs_tfjs() -> Path:
    """Where it lies; skips the test, naming the command, where it is not built."""
    for part in ("node_modules/.synced", "python/.synced"):
        if not (BUILT / part).exists():
            pytest.skip(f"no build/tfjs/{part}: run `make tfjs`")
    return BUILT


def bundled(source: str, folder: Path) -> list[str]:
    """The command of a program for Node: `source` with what it imports of `JAVASCRIPT`."""
    built, node = needs_tfjs(), needs("node", "nodejs")
    (folder / "program.js").write_text(source)
    options = "--bundle --platform=node --format=cjs --target=es2022 --loader:.wasm=binary"
    subprocess.run(
        [
            *(built / "node_modules/.bin/esbuild", *options.split()),
            *(f"--alias:casegate={JAVASCRIPT}", f"--outfile={folder / 'program.cjs'}"),
            folder / "program.js",
        ],
        check=True,
        capture_output=True,
        env={**os.environ, "NODE_PATH": str(built / "node_modules")},
    )
    return [node, str(folder / "program.cjs")]
