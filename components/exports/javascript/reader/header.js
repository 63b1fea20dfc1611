// What a DICOM header says of its picture; the twin of components/dicom/header.py.

import { refuse } from "./refused.js";

const LEAST_SIDE = 3;
const MOST_PIXELS = 100_000_000;
const SHAPES = { MONOCHROME1: "INVERSE", MONOCHROME2: "IDENTITY" };
const TAGS = {
  SamplesPerPixel: "x00280002",
  PhotometricInterpretation: "x00280004",
  NumberOfFrames: "x00280008",
  Rows: "x00280010",
  Columns: "x00280011",
  PixelAspectRatio: "x00280034",
  BitsAllocated: "x00280100",
  BitsStored: "x00280101",
  HighBit: "x00280102",
  PixelRepresentation: "x00280103",
  WindowCenter: "x00281050",
  WindowWidth: "x00281051",
  RescaleIntercept: "x00281052",
  RescaleSlope: "x00281053",
  VOILUTFunction: "x00281056",
  ModalityLUTSequence: "x00283000",
  LUTDescriptor: "x00283002",
  LUTData: "x00283006",
  VOILUTSequence: "x00283010",
  PresentationLUTSequence: "x20500010",
  PresentationLUTShape: "x20500020",
  SharedFunctionalGroupsSequence: "x52009229",
  FloatPixelData: "x7fe00008",
  DoubleFloatPixelData: "x7fe00009",
  PixelData: "x7fe00010",
};

// dicom-parser's element; undefined where there is none.
export const element = (dataset, keyword) => dataset.elements[TAGS[keyword]];

// An attribute's code word in capitals; empty where it is absent.
export function text(dataset, keyword) {
  return (dataset.string(TAGS[keyword]) ?? "").trim().toUpperCase();
}

// The finite numbers of an attribute of text; none where it is absent or empty.
export function numbers(dataset, keyword) {
  const whole = (dataset.string(TAGS[keyword]) ?? "").trim();
  if (!whole) return [];
  return whole.split("\\").map((part) => {
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(part.trim())) {
      refuse(`${keyword} is ${whole}; wanted numbers`);
    }
    const number = Number(part);
    return Number.isFinite(number) ? number : refuse(`${keyword} is ${whole}; wanted finite numbers`);
  });
}

// An attribute that holds one unsigned word; where it is absent `otherwise`, if that is given.
function word(dataset, keyword, otherwise) {
  const found = element(dataset, keyword);
  if (!found?.length) return otherwise ?? refuse(`${keyword} is missing`);
  if (found.length !== 2) refuse(`${keyword} has ${found.length} bytes; wanted one integer`);
  return dataset.uint16(TAGS[keyword]);
}

// The items of a sequence; none where it is absent.
export const items = (dataset, keyword) => element(dataset, keyword)?.items ?? [];

// Rows, columns, and where the bits of a stored value lie in the word that holds it.
export function parseHeader(dataset) {
  const photometric = text(dataset, "PhotometricInterpretation");
  if (!(photometric in SHAPES)) {
    const got = photometric || "is missing";
    refuse(`PhotometricInterpretation ${got}; a radiograph has MONOCHROME1 or MONOCHROME2`);
  }
  const frames = numbers(dataset, "NumberOfFrames");
  for (const [keyword, got] of [
    ["SamplesPerPixel", word(dataset, "SamplesPerPixel", 1)],
    ["NumberOfFrames", frames.length ? frames.join("\\") : 1],
  ]) {
    if (Number(got) !== 1) refuse(`${keyword} ${got}; wanted 1`);
  }
  if (items(dataset, "SharedFunctionalGroupsSequence").length) {
    refuse("functional groups, as of an enhanced object; wanted one plain picture");
  }
  const [rows, columns] = [word(dataset, "Rows"), word(dataset, "Columns")];
  if (Math.min(rows, columns) < LEAST_SIDE) {
    refuse(`${columns} x ${rows}: smaller than ${LEAST_SIDE} x ${LEAST_SIDE}`);
  }
  if (rows * columns > MOST_PIXELS) refuse(`${columns} x ${rows}: more than 100,000,000 pixels`);
  checkShape(dataset, photometric);
  return { rows, columns, inverted: photometric === "MONOCHROME1", ...layout(dataset) };
}

function checkShape(dataset, photometric) {
  const shape = text(dataset, "PresentationLUTShape");
  if (shape && shape !== SHAPES[photometric]) {
    refuse(
      `PresentationLUTShape ${shape} contradicts ${photometric}, which has ` +
        `${SHAPES[photometric]}: it is unknown whether the picture is inverted`,
    );
  }
  if (items(dataset, "PresentationLUTSequence").length) {
    refuse("a PresentationLUTSequence; an image has a PresentationLUTShape or none");
  }
  const aspect = numbers(dataset, "PixelAspectRatio");
  if (aspect.length && (aspect.length !== 2 || aspect[0] !== aspect[1])) {
    refuse(`PixelAspectRatio ${aspect.join("\\")}: pixels are not square`);
  }
}

function layout(dataset) {
  const [allocated, stored, high] = ["BitsAllocated", "BitsStored", "HighBit"].map((keyword) =>
    word(dataset, keyword),
  );
  if (allocated !== 8 && allocated !== 16) refuse(`BitsAllocated ${allocated}; wanted 8 or 16`);
  if (!(stored >= 1 && stored <= allocated)) {
    refuse(`BitsStored ${stored}; wanted 1 to BitsAllocated, which is ${allocated}`);
  }
  if (!(high >= stored - 1 && high < allocated)) {
    const range = `${stored - 1} to ${allocated - 1}`;
    refuse(`HighBit ${high}; wanted ${range} for BitsStored ${stored}`);
  }
  const representation = word(dataset, "PixelRepresentation");
  if (representation > 1) refuse(`PixelRepresentation ${representation}; wanted 0 or 1`);
  const signed = representation === 1;
  const lowest = signed ? -(2 ** (stored - 1)) : 0;
  const highest = lowest + 2 ** stored - 1;
  return { allocated, stored, shift: high + 1 - stored, signed, lowest, highest };
}
