// What encoded pixel data say of themselves, held against the header before a decoder sees them;
// the twin of components/dicom/codestream.py.

import { refuse } from "./refused.js";

export const LOSSY_JPEG = [0xc0, 0xc1, 0xc2];
export const [LOSSLESS_JPEG, JPEG_LS, JPEG_2000] = [[0xc3], [0xf7], [0x51]];
const NOT_FRAMES = [0xc4, 0xc8, 0xcc];

// The coding (second byte of the marker that says so) and the bits of a sample.
export function checkStream(frame, header) {
  const stream = starts(frame, 0xff, 0xd8, 0xff)
    ? ofJpeg(frame)
    : starts(frame, 0xff, 0x4f, 0xff, 0x51)
      ? ofJpeg2000(frame)
      : refuse("PixelData begin as no JPEG stream does");
  checkEnd(frame);
  for (const [name, got, wanted] of [
    ["Rows", stream.rows, header.rows],
    ["Columns", stream.columns, header.columns],
    ["SamplesPerPixel", stream.channels, 1],
  ]) {
    if (got !== wanted) {
      refuse(`${name} ${wanted} in the header, but ${got} in the JPEG stream`);
    }
  }
  // With fewer bits than stored it would be unknown which of them is the sign.
  const { bits } = stream;
  if (bits > header.allocated || (header.signed && bits < header.stored)) {
    refuse(
      `BitsStored ${header.stored} and BitsAllocated ${header.allocated} in the header, but ` +
        `${bits} bits in the JPEG stream`,
    );
  }
  return stream;
}

const starts = (bytes, ...wanted) => wanted.every((byte, at) => bytes[at] === byte);

function checkEnd(frame) {
  let end = frame.length;
  while (end && (frame[end - 1] === 0 || frame[end - 1] === 0xff)) end -= 1;
  if (!(frame[end - 1] === 0xd9 && frame[end - 2] === 0xff)) {
    refuse("PixelData have no end marker: the JPEG stream is cut off");
  }
  for (let at = 2; at + 4 < frame.length; at += 1) {
    if (frame[at - 2] !== 0xff || frame[at - 1] !== 0xd9) continue;
    for (const next of [at, at + 1]) {
      if (next > at && frame[at] !== 0 && frame[at] !== 0xff) continue;
      const after = frame.subarray(next);
      if (starts(after, 0xff, 0xd8, 0xff) || starts(after, 0xff, 0x4f, 0xff, 0x51)) {
        refuse("PixelData go on after the end of the JPEG stream; wanted one frame");
      }
    }
  }
}

function ofJpeg(frame) {
  const word = (at) => frame[at] * 256 + frame[at + 1];
  let at = 2;
  while (at + 10 <= frame.length && frame[at] === 0xff) {
    const marker = frame[at + 1];
    const isFrame = marker >= 0xc0 && marker <= 0xcf && !NOT_FRAMES.includes(marker);
    if (marker === 0xff) at += 1; // fill byte
    else if (isFrame || JPEG_LS.includes(marker)) {
      const [rows, columns] = [word(at + 5), word(at + 7)];
      return { coding: marker, rows, columns, channels: frame[at + 9], bits: frame[at + 4] };
    } else at += 2 + word(at + 2);
  }
  return refuse("PixelData are a JPEG stream without a frame header");
}

function ofJpeg2000(frame) {
  if (frame.length < 43) refuse("PixelData end early: the JPEG 2000 stream has no size");
  const view = new DataView(frame.buffer, frame.byteOffset);
  const [right, bottom, left, top] = [8, 12, 16, 20].map((at) => view.getUint32(at));
  return {
    coding: JPEG_2000[0],
    rows: bottom - top,
    columns: right - left,
    channels: view.getUint16(40),
    bits: (frame[42] & 0x7f) + 1,
  };
}
