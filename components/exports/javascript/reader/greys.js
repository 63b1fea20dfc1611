// From stored values to grey: modality, window or look-up table, polarity, sixteen bits; the twin
// of components/dicom/greys.py.

import { element, items, numbers, text } from "./header.js";
import { refuse } from "./refused.js";

const FUNCTIONS = ["LINEAR", "LINEAR_EXACT", "SIGMOID"];

// The grey of every word, by the word: 0 is black and 65535 full scale.
export function greyTable(dataset, header, encoding) {
  const modality = parseModality(dataset, header, encoding);
  const ends = [modality.apply(header.lowest), modality.apply(header.highest)];
  const declared = modality.highest === undefined ? ends : [0, modality.highest];
  const [lowest, highest] = [Math.min(...declared), Math.max(...declared)];
  const share =
    parseVoi(dataset, lowest, encoding) ?? ((value) => (value - lowest) / (highest - lowest));
  const table = new Uint16Array(2 ** header.allocated);
  for (let word = 0; word < table.length; word += 1) {
    let value = Math.floor(word / 2 ** header.shift) % 2 ** header.stored;
    if (value > header.highest) value -= 2 ** header.stored;
    const bright = share(modality.apply(value));
    table[word] = Math.floor((header.inverted ? 1 - bright : bright) * 65535 + 0.5);
  }
  return table;
}

function parseModality(dataset, header, encoding) {
  const slopes = numbers(dataset, "RescaleSlope");
  const intercepts = numbers(dataset, "RescaleIntercept");
  if (slopes.length !== intercepts.length || slopes.length > 1) {
    refuse(
      `RescaleSlope has ${slopes.length} values and RescaleIntercept ${intercepts.length}; ` +
        "wanted one of each or none",
    );
  }
  const [slope, intercept] = slopes.length ? [slopes[0], intercepts[0]] : [1, 0];
  if (slope === 0) refuse("RescaleSlope 0: every pixel would be the same");
  const lut = firstLut(dataset, "ModalityLUTSequence", header.lowest, encoding);
  if (lut && (slope !== 1 || intercept !== 0)) {
    refuse("both a ModalityLUTSequence and a RescaleSlope; wanted one of them");
  }
  return lut ?? { apply: (value) => value * slope + intercept };
}

// From a modality's value to the share of full brightness; undefined where nothing is declared.
function parseVoi(dataset, lowest, encoding) {
  const lut = firstLut(dataset, "VOILUTSequence", lowest, encoding);
  if (lut) return (value) => lut.apply(value) / lut.highest;
  const [centers, widths] = [numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")];
  if (!centers.length && !widths.length) return undefined;
  if (centers.length !== widths.length) {
    refuse(
      `WindowCenter has ${centers.length} values and WindowWidth ${widths.length}; ` +
        "wanted one width for each center",
    );
  }
  const name = text(dataset, "VOILUTFunction") || "LINEAR";
  if (!FUNCTIONS.includes(name)) {
    refuse(`VOILUTFunction ${name}; wanted one of ${FUNCTIONS.join(", ")}`);
  }
  if (widths[0] <= 0 || (name === "LINEAR" && widths[0] < 1)) {
    const least = name === "LINEAR" ? "at least 1" : "more than 0";
    refuse(`WindowWidth ${widths[0]}; wanted ${least} for ${name}`);
  }
  return windowed(centers[0], widths[0], name);
}

// DICOM PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.1 (SIGMOID) and C.11.2.1.3.2 (LINEAR_EXACT).
function windowed(declaredCenter, declaredWidth, name) {
  if (name === "SIGMOID") {
    return (value) => 1 / (1 + Math.exp((-4 * (value - declaredCenter)) / declaredWidth));
  }
  const shrunk = name === "LINEAR" ? 1 : 0;
  const [center, width] = [declaredCenter - shrunk / 2, declaredWidth - shrunk];
  if (width === 0) return (value) => (value > center ? 1 : 0); // a threshold
  return (value) => Math.min(Math.max((value - center) / width + 0.5, 0), 1);
}

// The first table of a sequence, for inputs from `lowest` on; undefined where there is none.
function firstLut(dataset, keyword, lowest, { little, implicit }) {
  const item = items(dataset, keyword)[0]?.dataSet;
  if (!item) return undefined;
  const [descriptor, data] = [element(item, "LUTDescriptor"), element(item, "LUTData")];
  if (!data || descriptor?.length !== 6) {
    refuse(`${keyword} without LUTDescriptor of three numbers or without LUTData`);
  }
  const view = new DataView(item.byteArray.buffer, item.byteArray.byteOffset);
  const words = (at, count) =>
    Array.from({ length: count }, (_, i) => view.getUint16(at.dataOffset + 2 * i, little));
  const [declared, start, bits] = words(descriptor, 3);
  const count = declared || 65536;
  if (!(bits >= 8 && bits <= 16)) refuse(`${keyword}: entries of ${bits} bits; wanted 8 to 16`);
  const unsigned = !implicit && descriptor.vr === "US";
  if (unsigned && lowest < 0) {
    refuse(`${keyword} is for unsigned values, but the values are signed`);
  }
  if (!implicit && descriptor.vr === "SS" && start > 32767 && lowest >= 0) {
    refuse(`${keyword} is for signed values, but the values are unsigned`);
  }
  let entries = words(data, Math.floor(data.length / 2));
  if (entries.length !== count && bits === 8 && entries.length === Math.ceil(count / 2)) {
    entries = entries.flatMap((pair) => [pair & 255, pair >> 8]).slice(0, count);
  }
  if (entries.length !== count || entries.some((entry) => entry >= 2 ** bits)) {
    refuse(`${keyword}: LUTData is not the ${count} entries of ${bits} bits declared`);
  }
  const first = lowest < 0 && start > 32767 ? start - 65536 : start;
  const apply = (value) =>
    entries[Math.min(Math.max(Math.floor(value + 0.5) - first, 0), count - 1)];
  return { highest: 2 ** bits - 1, apply };
}
