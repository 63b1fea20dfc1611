// Any file that a person gives: its picture, or why it is refused, by the rules of docs/pictures.md.

import { decodePicture } from "../pixels.js";
import { beginsAsDicom, decodeDicom } from "./dicom.js";
import { refuse } from "./refused.js";

const STARTS = [[0x89, 0x50, 0x4e, 0x47], [0xff, 0xd8, 0xff]]; // of PNG and JPEG
const ORIENTATION = 0x0112; // EXIF
const LEAST_SIDE = 3;
const MOST_PIXELS = 100_000_000;

export async function readPicture(bytes) {
  if (beginsAsDicom(bytes)) return decodeDicom(bytes);
  if (!STARTS.some((start) => start.every((byte, at) => bytes[at] === byte))) {
    refuse("it is no PNG, JPEG or DICOM file");
  }
  if (orientation(bytes) > 1) {
    refuse("its EXIF orientation says that it is to be turned; save it upright");
  }
  const picture = await decodePicture(bytes);
  const { width, height, channels, bits } = picture;
  if (Math.min(width, height) < LEAST_SIDE || width * height > MOST_PIXELS) {
    refuse(`${width} x ${height} pixels; wanted 3 x 3 to 100,000,000`);
  }
  if (bits === 16 && channels > 2) refuse("16-bit colour, which few viewers show alike");
  if (hasHoles(picture)) refuse("it has transparent pixels; what one sees depends on the viewer");
  return picture;
}

function hasHoles({ channels, bits, data }) {
  if (channels % 2) return false; // no alpha
  const opaque = 2 ** bits - 1;
  for (let at = channels - 1; at < data.length; at += channels) {
    if (data[at] !== opaque) return true;
  }
  return false;
}

// Of a JPEG file, 1 to 8; 1, upright, where it does not say.
function orientation(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 2; at + 18 < bytes.length && bytes[at] === 0xff && bytes[at + 1] !== 0xda; ) {
    const isExif = bytes[at + 1] === 0xe1 && view.getUint32(at + 4) === 0x45786966; // "Exif"
    if (isExif) return orientationAt(view, at + 10);
    at += 2 + view.getUint16(at + 2);
  }
  return 1;
}

function orientationAt(view, tiff) {
  const little = view.getUint8(tiff) === 0x49;
  const entries = tiff + view.getUint32(tiff + 4, little);
  if (entries + 2 > view.byteLength) return 1;
  const count = view.getUint16(entries, little);
  for (let at = entries + 2; at < entries + 2 + 12 * count && at + 12 <= view.byteLength; at += 12) {
    if (view.getUint16(at, little) === ORIENTATION) return view.getUint16(at + 8, little);
  }
  return 1;
}
