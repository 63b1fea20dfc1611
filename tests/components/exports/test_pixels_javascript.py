"""The browser's way from bytes to the network's input, against the one inside the SavedModel."""

import io
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.components.exports.pictures import kinds, samples
from tests.components.exports.tfjs import bundled

PROGRAM = """
import { readFileSync, writeFileSync } from "node:fs";
import { decodePicture, prepared } from "casegate/pixels.js";
async function main([size, ...files]) {
  for (const file of files) {
    writeFileSync(`${file}.pixels`, prepared(await decodePicture(readFileSync(file)), +size));
  }
}
main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exit(1);
});
"""
SIZE = 28


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return bundled(PROGRAM, tmp_path_factory.mktemp("program"))


@pytest.mark.tensorflow
@pytest.mark.parametrize("shape", [(28, 28), (64, 64), (97, 131), (20, 17), (30, 1), (1, 1)])
def test_pixels_of_every_kind_of_picture_are_those_of_the_saved_model(
    shape: tuple[int, int], program: list[str], tmp_path: Path
) -> None:
    import tensorflow as tf

    from pipeline.model.preprocessing import decoded

    files = {name: tmp_path / name.replace(" ", "_") for name in kinds(*shape)}
    for name, content in kinds(*shape).items():
        files[name].write_bytes(content)
    subprocess.run([*program, str(SIZE), *map(str, files.values())], check=True)
    for name, path in files.items():
        wanted = decoded(tf.constant(path.read_bytes()), SIZE).numpy()
        got = np.fromfile(f"{path}.pixels", np.float32).reshape(SIZE, SIZE, 1)
        np.testing.assert_allclose(got, wanted, atol=1e-6, rtol=0, err_msg=name)


def refusal(program: list[str], path: Path, content: bytes) -> str:
    path.write_bytes(content)
    done = subprocess.run([*program, str(SIZE), str(path)], capture_output=True, text=True)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def png(**options: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(samples(40, 40, 3, 255).astype(np.uint8)).save(stream, "PNG", **options)
    return stream.getvalue()


def test_damaged_or_foreign_file_is_refused_in_one_line(program: list[str], tmp_path: Path) -> None:
    whole = png()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0x40
    for name, content in (
        ("foreign", b"%PDF-1.7"),
        ("empty", b""),
        ("cut", whole[: len(whole) // 2]),
        ("flipped", bytes(flipped)),
        ("header", whole[:20]),
        ("jpeg", b"\xff\xd8\xff\xe0" + zlib.compress(b"no picture")),
    ):
        assert refusal(program, tmp_path / name, content).strip(), name
