// From encoded bytes to the network's input, as pipeline/model/preprocessing.py has it in
// TensorFlow and components/exports/pixels.py in NumPy. Every step rounds to float32, as theirs do.

import jpegCodec from "@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs";
import jpegCodecBytes from "@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasm";
import { convertIndexedToRgb, decode } from "fast-png";

const { fround, ceil, floor, max, min, abs } = Math;
// As tf.image.rgb_to_grayscale has them; they sum to 0.9999.
const GREY = [0.2989, 0.587, 0.114].map(fround);
const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const JPEG = [0xff, 0xd8, 0xff];

/**
 * A picture's samples, channels last, as they lie in its file.
 * @typedef {{width: number, height: number, channels: 1|2|3|4, bits: number,
 *   data: Uint8Array|Uint16Array, jpeg?: boolean}} Picture
 * channels: grey, grey and alpha, RGB, RGB and alpha; alpha is left out of account.
 * bits: 8 or 16; the largest sample is 2 ** bits - 1.
 */

/**
 * What a PNG or JPEG file shows.
 * @param {Uint8Array} bytes
 * @returns {Promise<Picture>}
 * @throws {Error} neither a PNG nor a JPEG file, or a damaged one.
 */
export async function decodePicture(bytes) {
  if (startsWith(bytes, PNG)) return decodePng(bytes);
  if (startsWith(bytes, JPEG)) return decodeJpeg(bytes);
  throw new Error("not a PNG or JPEG image");
}

/**
 * @param {Uint8Array} bytes
 * @returns {Picture}
 * @throws {Error} no PNG file, or a damaged one.
 */
export function decodePng(bytes) {
  const png = decode(bytes, { checkCrc: true });
  const { width, height, depth } = png;
  const line = ceil((depth * png.channels * width) / 8);
  if (png.data.length * (depth === 16 ? 2 : 1) !== line * height) {
    throw new Error(`interlaced PNG of ${depth} bits, which few decoders have; save it otherwise`);
  }
  if (png.palette) {
    const channels = png.palette[0].length;
    return { width, height, channels, bits: 8, data: convertIndexedToRgb(png) };
  }
  const data = depth < 8 ? unpacked(png.data, width, height, depth) : png.data;
  return { width, height, channels: png.channels, bits: max(depth, 8), data };
}

/** Grey samples of 1, 2 or 4 bits, several to a byte, as samples of 8 bits. */
function unpacked(packed, width, height, depth) {
  const data = new Uint8Array(width * height);
  const line = ceil((depth * width) / 8);
  const largest = (1 << depth) - 1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      const byte = packed[y * line + (bit >> 3)];
      data[y * width + x] = (((byte >> (8 - depth - (bit & 7))) & largest) * 255) / largest;
    }
  }
  return data;
}

let codec; // started once, when the first JPEG file comes

/**
 * A JPEG file as libjpeg-turbo decodes it where accuracy is asked for.
 * @param {Uint8Array} bytes
 * @returns {Promise<Picture>}
 * @throws {Error} no JPEG file of 8 bits in grey or colour, or a damaged one.
 */
export async function decodeJpeg(bytes) {
  codec ??= jpegCodec({ wasmBinary: jpegCodecBytes, print() {}, printErr() {} });
  const decoder = new (await codec).JPEGDecoder();
  try {
    decoder.getEncodedBuffer(bytes.length).set(bytes);
    decoder.decode();
    const { width, height, bitsPerSample, componentCount } = decoder.getFrameInfo();
    if (bitsPerSample !== 8 || ![1, 3].includes(componentCount)) {
      throw new Error(`got JPEG of ${componentCount} components, wanted grey or RGB`);
    }
    // A copy: what the decoder gave lies in memory that goes with it.
    const data = new Uint8Array(decoder.getDecodedBuffer());
    return { width, height, channels: componentCount, bits: 8, data, jpeg: true };
  } catch (error) {
    throw new Error(`damaged JPEG image (${error.message ?? error})`);
  } finally {
    decoder.delete();
  }
}

/**
 * A picture as the network wants it: grey, resized with antialiasing, clipped.
 * @param {Picture} picture
 * @param {number} size the side of the network's input, in pixels.
 * @returns {Float32Array} size * size values in [0, 1], row by row.
 */
export function prepared(picture, size) {
  const { width, height } = picture;
  const pixels = grey(picture);
  if (width === size && height === size) return pixels.map(clipped);
  const columns = weighted(pixels, spans(height, size), width);
  return weighted(columns, spans(width, size), size).map(clipped);
}

const clipped = (value) => min(max(value, 0), 1);

/** One channel of float32 in [0, 1]. */
function grey({ width, height, channels, bits, data, jpeg }) {
  // TensorFlow widens a PNG of 8 bits to 16 before it scales; a JPEG it scales as it is.
  const widen = bits === 8 && !jpeg ? 257 : 1;
  const scale = fround(1 / (bits === 8 && jpeg ? 255 : 65535));
  const colours = channels < 3 ? [0, 0, 0] : [0, 1, 2];
  const pixels = new Float32Array(width * height);
  for (let at = 0; at < pixels.length; at++) {
    let sum = 0;
    for (let k = 0; k < 3; k++) {
      const sample = fround(data[at * channels + colours[k]] * widen * scale);
      sum = fround(sum + fround(sample * GREY[k]));
    }
    pixels[at] = sum;
  }
  return pixels;
}

/**
 * For each place of the output where its span of the input starts, and the weights there: a
 * triangle, as wide as an output pixel where that is larger. As TensorFlow's ScaleAndTranslate.
 */
function spans(from, to) {
  const inverse = fround(1 / fround(to / from));
  const wide = max(inverse, 1);
  const narrow = fround(1 / wide);
  return Array.from({ length: to }, (_, place) => {
    const centre = fround(fround(place + 0.5) * inverse);
    const start = min(max(0, ceil(fround(fround(centre - wide) - 0.5))), from - 1);
    const end = min(max(0, floor(fround(fround(centre + wide) - 0.5))), from - 1) + 1;
    const weights = [];
    for (let source = start; source < end; source++) {
      const distance = abs(fround(fround(fround(source + 0.5) - centre) * narrow));
      weights.push(max(fround(1 - distance), 0));
    }
    const inverseSum = fround(1 / weights.reduce((sum, weight) => fround(sum + weight), 0));
    return { start, weights: weights.map((weight) => fround(weight * inverseSum)) };
  });
}

/** Weighted sums over the rows of pixels in lines of `width`; rows come out as columns. */
function weighted(pixels, rows, width) {
  const output = new Float32Array(rows.length * width);
  rows.forEach(({ start, weights }, row) => {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) {
        sum = fround(sum + fround(pixels[(start + k) * width + x] * weights[k]));
      }
      output[x * rows.length + row] = sum;
    }
  });
  return output;
}

const startsWith = (bytes, head) => head.every((byte, at) => bytes[at] === byte);
