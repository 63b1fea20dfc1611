// The words of a DICOM picture: which decoder reads which transfer syntax, and what is refused; the
// twin of components/dicom/decoders.py. What has no decoder here is refused by its name.

import jpegLsCodec from "@cornerstonejs/codec-charls/decodewasmjs";
import jpegLsBytes from "@cornerstonejs/codec-charls/decodewasm";
import jpeg2000Codec from "@cornerstonejs/codec-openjpeg/decodewasmjs";
import jpeg2000Bytes from "@cornerstonejs/codec-openjpeg/decodewasm";
import { Decoder as LosslessDecoder } from "jpeg-lossless-decoder-js";

import { decodeJpeg } from "../pixels.js";
import { JPEG_2000, JPEG_LS, LOSSLESS_JPEG, LOSSY_JPEG, checkStream } from "./codestream.js";
import { element } from "./header.js";
import { refuse } from "./refused.js";

export const BIG_ENDIAN = "1.2.840.10008.1.2.2";
const PIXELS = ["PixelData", "FloatPixelData", "DoubleFloatPixelData"];
const RLE_HEADER = 64; // bytes

const lossy = ofStream(LOSSY_JPEG, async (frame, { bits }) =>
  bits === 8 ? (await decodeJpeg(frame)).data : refuse(`lossy JPEG of ${bits} bits; wanted 8`),
);
const lossless = ofStream(LOSSLESS_JPEG, async (frame) =>
  new LosslessDecoder().decompress(frame.buffer, frame.byteOffset, frame.byteLength),
);
const jpegLs = ofStream(JPEG_LS, ofCodec(jpegLsCodec, jpegLsBytes, "JpegLSDecoder"));
const jpeg2000 = ofStream(JPEG_2000, ofCodec(jpeg2000Codec, jpeg2000Bytes, "J2KDecoder"));
const DECODERS = {
  "1.2.840.10008.1.2": native,
  "1.2.840.10008.1.2.1": native,
  "1.2.840.10008.1.2.1.99": native, // deflated: inflated where the file is read
  [BIG_ENDIAN]: native,
  "1.2.840.10008.1.2.4.50": lossy,
  "1.2.840.10008.1.2.4.51": lossy,
  "1.2.840.10008.1.2.4.57": lossless,
  "1.2.840.10008.1.2.4.70": lossless,
  "1.2.840.10008.1.2.4.80": jpegLs,
  "1.2.840.10008.1.2.4.81": jpegLs,
  "1.2.840.10008.1.2.4.90": jpeg2000,
  "1.2.840.10008.1.2.4.91": jpeg2000,
  "1.2.840.10008.1.2.5": rle,
};

export function requireDecoder(syntax) {
  if (!syntax) refuse("TransferSyntaxUID is missing");
  if (!(syntax in DECODERS)) refuse(`no decoder here for the transfer syntax ${syntax}`);
}

// The words as the header lays them out, Uint8Array or Uint16Array: not masked, not scaled.
export async function decodeWords(dataset, header, syntax) {
  const kinds = PIXELS.filter((keyword) => element(dataset, keyword));
  const pixels = element(dataset, "PixelData");
  if (kinds.join() !== "PixelData" || !pixels.length) {
    refuse(`${kinds.join(" and ") || "no PixelData"}; wanted PixelData`);
  }
  const decoder = DECODERS[syntax];
  if (decoder !== native && header.shift) {
    refuse("HighBit is not BitsStored - 1, as it has to be in encoded pixels");
  }
  if ((decoder === native) !== !pixels.encapsulatedPixelData) {
    refuse("PixelData are not laid out as the transfer syntax says");
  }
  const words = await decoder(dataset, header, syntax);
  const wanted = header.rows * header.columns;
  if (words.length !== wanted) refuse(`decoded to ${words.length} pixels; wanted ${wanted}`);
  checkUnused(words, header);
  return words;
}

function native(dataset, { rows, columns, allocated }, syntax) {
  const { dataOffset, length, vr } = element(dataset, "PixelData");
  const pixels = rows * columns;
  const size = (pixels * allocated) / 8;
  if (!(length >= size && length <= size + (size % 2))) {
    refuse(`PixelData have ${length} bytes; one frame has ${size}`);
  }
  const bytes = dataset.byteArray.slice(dataOffset, dataOffset + length);
  const big = syntax === BIG_ENDIAN;
  if (allocated === 16) return wordsOf(bytes, big);
  if (!big || vr !== "OW") return bytes.subarray(0, pixels);
  // Two pixels are one big-endian word.
  return bytes.map((_, at) => bytes[at ^ 1]).subarray(0, pixels);
}

// Words of 16 bits in the machine's order, which is little endian wherever WebAssembly is.
function wordsOf(bytes, big) {
  if (big) bytes.forEach((_, at) => at % 2 || bytes.subarray(at, at + 2).reverse());
  return new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
}

// The encoded data of the only frame.
function readFrame(dataset) {
  const { fragments, basicOffsetTable } = element(dataset, "PixelData");
  if (basicOffsetTable?.length > 1) {
    refuse(`PixelData has ${basicOffsetTable.length} frames; wanted 1`);
  }
  const parts = fragments.map(({ position, length }) =>
    dataset.byteArray.subarray(position, position + length),
  );
  const frame = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (frame.set(part, at), at + part.length), 0);
  return frame;
}

// A decoder of one kind of JPEG stream, which is first held against the header.
function ofStream(codings, decode) {
  return async (dataset, header) => {
    const frame = readFrame(dataset);
    const stream = checkStream(frame, header);
    if (!codings.includes(stream.coding)) {
      const coding = stream.coding.toString(16).toUpperCase();
      refuse(`coded as ${coding}, which the transfer syntax does not have`);
    }
    const bytes = new Uint8Array(await decode(frame, stream));
    return stream.bits <= 8 ? bytes : wordsOf(bytes, false);
  };
}

// A decoder of those that are compiled to WebAssembly; it starts with the first picture.
function ofCodec(start, wasmBinary, name) {
  let started;
  return async (frame) => {
    started ??= start({ wasmBinary, print() {}, printErr() {} });
    const decoder = new (await started)[name]();
    try {
      decoder.getEncodedBuffer(frame.length).set(frame);
      decoder.decode();
      return decoder.getDecodedBuffer().slice();
    } finally {
      decoder.delete();
    }
  };
}

function rle(dataset, { rows, columns, allocated }) {
  const frame = readFrame(dataset);
  const [pixels, planes] = [rows * columns, allocated / 8];
  if (frame.length < RLE_HEADER) refuse("PixelData end early: no RLE header");
  const view = new DataView(frame.buffer);
  const [count, ...starts] = Array.from({ length: 16 }, (_, at) => view.getUint32(4 * at, true));
  if (count !== planes) {
    refuse(`${count} RLE segments; wanted ${planes}, one for each byte of a word`);
  }
  const words = allocated === 8 ? new Uint8Array(pixels) : new Uint16Array(pixels);
  for (let plane = 0; plane < planes; plane += 1) {
    const [start, end] = [starts[plane], plane + 1 < planes ? starts[plane + 1] : frame.length];
    if (!(start >= RLE_HEADER && start < end && end <= frame.length)) {
      refuse("PixelData have RLE segments outside the frame");
    }
    const bytes = unpacked(frame.subarray(start, end), pixels);
    words.forEach((word, at) => (words[at] = (word << 8) | bytes[at])); // the highest comes first
  }
  return words;
}

// One segment, by PackBits: DICOM PS3.5 G.3.2.
function unpacked(segment, pixels) {
  const bytes = new Uint8Array(pixels);
  let filled = 0;
  for (let at = 0; at < segment.length - 1; ) {
    const head = segment[at];
    const run = head > 128 ? 257 - head : head < 128 ? head + 1 : 0;
    const given = head > 128 ? 1 : run;
    if (filled + run > pixels || at + 1 + given > segment.length) {
      refuse(`an RLE segment of other than ${pixels} pixels`);
    }
    if (head > 128) bytes.fill(segment[at + 1], filled, filled + run);
    else bytes.set(segment.subarray(at + 1, at + 1 + given), filled);
    filled += run;
    at += 1 + given;
  }
  if (filled !== pixels) refuse(`an RLE segment of ${filled} pixels; wanted ${pixels}`);
  return bytes;
}

// Refuses words whose unused bits are neither zero nor copies of the sign.
function checkUnused(words, { stored, shift, signed, lowest, highest }) {
  const size = 8 * words.BYTES_PER_ELEMENT;
  if (stored === size) return;
  const low = (1 << shift) - 1;
  let [least, most] = [Infinity, -Infinity];
  for (const word of words) {
    if (word & low) {
      refuse("bits below the stored value are used; overlays in them are not read");
    }
    const value = (signed && word >= 2 ** (size - 1) ? word - 2 ** size : word) >> shift;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  if (least < lowest || most >= 2 ** stored) {
    refuse(
      `stored values from ${least} to ${most}; BitsStored ${stored} allows ${lowest} to ${highest}`,
    );
  }
}
