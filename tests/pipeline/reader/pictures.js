// For each path on the standard input a line: the SHA-256 of what the page makes of the file, its
// samples in little endian, or why it is refused.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { readPicture } from "casegate/reader/picture.js";
import { Refused } from "casegate/reader/refused.js";

async function answer(path) {
  try {
    const { data, width, height } = await readPicture(new Uint8Array(readFileSync(path)));
    const sha256 = createHash("sha256").update(data).digest("hex");
    return { sha256, width, height };
  } catch (error) {
    return { refused: error instanceof Refused ? error.message : `unforeseen: ${error}` };
  }
}

async function main() {
  for (const path of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
    console.log(JSON.stringify(await answer(path)));
  }
}

main();
