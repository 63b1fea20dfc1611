// How a DICOM picture becomes sixteen bits of grey: the rules of docs/dicom.md, as
// components/dicom/pixels.py has them.

import { parseDicom } from "dicom-parser";
import { inflateSync } from "fflate";

import { greyTable } from "./greys.js";
import { parseHeader } from "./header.js";
import { Refused, refuse } from "./refused.js";
import { BIG_ENDIAN, decodeWords, requireDecoder } from "./words.js";

const PREAMBLE = 128;
const IMPLICIT = "1.2.840.10008.1.2";
const META = [0x02, 0x00];

const has = (bytes, at, wanted) => wanted.every((byte, i) => bytes[at + i] === byte);
const hasPreamble = (bytes) => has(bytes, PREAMBLE, [0x44, 0x49, 0x43, 0x4d]);

export const beginsAsDicom = (bytes) => hasPreamble(bytes) || has(bytes, 0, META);

/**
 * The picture of a DICOM file, as `decodePicture` gives that of a PNG file; `asShown`, because its
 * header said how to show it, and `said`: its modality, body part and view.
 * @param {Uint8Array} bytes
 * @throws {Refused} why it cannot be read, in one line.
 */
export async function decodeDicom(bytes) {
  try {
    const dataset = parsed(bytes);
    const syntax = dataset.string("x00020010");
    const header = parseHeader(dataset);
    requireDecoder(syntax);
    const encoding = { little: syntax !== BIG_ENDIAN, implicit: syntax === IMPLICIT };
    const table = greyTable(dataset, header, encoding);
    const words = await decodeWords(dataset, header, syntax);
    const data = new Uint16Array(words.length);
    for (let at = 0; at < data.length; at += 1) data[at] = table[words[at]];
    const { columns: width, rows: height } = header;
    return { width, height, channels: 1, bits: 16, data, asShown: true, said: claims(dataset) };
  } catch (error) {
    if (error instanceof Refused) throw error;
    // The parser and the decoders throw errors of many kinds, words and numbers among them.
    const why = error?.message ?? error?.exception?.message ?? error?.exception ?? error;
    return refuse(`cannot be decoded: ${String(why).split("\n")[0].slice(0, 200)}`);
  }
}

// What the header says the picture is of: the pixels do not depend on it.
function claims(dataset) {
  const [modality, bodyPart, view] = ["x00080060", "x00180015", "x00185101"].map((tag) =>
    (dataset.string(tag) ?? "").trim().slice(0, 16).toUpperCase(),
  );
  return { modality, bodyPart, view };
}

function parsed(bytes) {
  let whole = bytes;
  if (!hasPreamble(bytes)) {
    whole = new Uint8Array(PREAMBLE + 4 + bytes.length);
    whole.set([0x44, 0x49, 0x43, 0x4d], PREAMBLE);
    whole.set(bytes, PREAMBLE + 4);
  }
  return parseDicom(whole, { inflater: inflated });
}

// The parser reads on behind the header where the header ended.
function inflated(bytes, position) {
  const rest = inflateSync(bytes.subarray(position));
  const whole = new Uint8Array(position + rest.length);
  whole.set(bytes.subarray(0, position));
  whole.set(rest, position);
  return whole;
}
