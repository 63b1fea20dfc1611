// The picture as the eye gets it, and over it where the score came from: colours and blending of
// components/pages/heat.py.

const VIRIDIS = [
  [68, 1, 84], [71, 45, 123], [59, 82, 139], [44, 114, 142], [33, 145, 140],
  [40, 174, 128], [94, 201, 98], [173, 220, 48], [253, 231, 37],
];
const SHARE = 0.5; // of the colour, everywhere: where it varied, light bone would look hot
const MOST = 1024; // pixels along the longer side on the screen
const LEAST = 512;

function colour(value) {
  const at = Math.min(Math.max(value, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  return VIRIDIS[low].map((from, i) => from + (VIRIDIS[low + 1][i] - from) * (at - low));
}

export function drawColours(canvas) {
  const { width, height } = canvas;
  paint(canvas, width, height, (shown) => {
    for (let at = 0; at < shown.length; at += 4) {
      const hot = colour(((at / 4) % width) / (width - 1));
      shown.set(hot.map((part) => SHARE * (128 + part)), at);
    }
  });
}

// Draws a picture of `decodePicture` or `decodeDicom`, as large as a screen needs it.
export function drawPicture(canvas, picture) {
  const { width, height, channels, data } = picture;
  const eight = ofEightBits(picture);
  const [red, green, blue] = channels < 3 ? [0, 0, 0] : [0, 1, 2];
  const whole = document.createElement("canvas");
  paint(whole, width, height, (shown) => {
    for (let at = 0, from = 0; at < shown.length; at += 4, from += channels) {
      shown[at] = eight(data[from + red]);
      shown[at + 1] = eight(data[from + green]);
      shown[at + 2] = eight(data[from + blue]);
    }
  });
  const longer = Math.max(width, height);
  const scale = Math.min(Math.max(longer, LEAST), MOST) / longer;
  canvas.width = Math.max(Math.round(width * scale), 1);
  canvas.height = Math.max(Math.round(height * scale), 1);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(whole, 0, 0, canvas.width, canvas.height);
}

// Draws the picture that is on one canvas on another, under its map.
export function drawMap(canvas, shown, heat) {
  const { width, height } = shown;
  const under = shown.getContext("2d").getImageData(0, 0, width, height).data;
  paint(canvas, width, height, (data) => {
    for (let at = 0; at < data.length; at += 4) {
      const [x, y] = [(at / 4) % width, Math.floor(at / 4 / width)];
      const hot = colour(between(heat, (x + 0.5) / width, (y + 0.5) / height));
      data.set(hot.map((part, i) => SHARE * part + (1 - SHARE) * under[at + i]), at);
    }
  });
}

// Fills a canvas of this size: `fill` is given its samples, red, green, blue and alpha in turn.
function paint(canvas, width, height, fill) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  fill(image.data);
  for (let at = 3; at < image.data.length; at += 4) image.data[at] = 255;
  context.putImageData(image, 0, 0);
}

// The map's value at a place in [0, 1] x [0, 1], smoothly between its own.
function between({ shape: [height, width], values }, across, down) {
  const place = (share, side) => {
    const at = Math.min(Math.max(share * side - 0.5, 0), side - 1);
    const low = Math.min(Math.floor(at), Math.max(side - 2, 0));
    return [low, Math.min(low + 1, side - 1), at - low];
  };
  const [left, right, x] = place(across, width);
  const [top, bottom, y] = place(down, height);
  const row = (line) => values[line * width + left] * (1 - x) + values[line * width + right] * x;
  return row(top) * (1 - y) + row(bottom) * y;
}

// Sample -> 0 to 255. A PNG of 16 bits is windowed from its 1st to its 99th percentile, for the eye
// alone; what a DICOM header says how to show is shown so.
function ofEightBits({ bits, data, asShown }) {
  if (bits === 8) return (sample) => sample;
  if (asShown) return (sample) => sample / 257;
  const counts = new Uint32Array(65536);
  for (const sample of data) counts[sample] += 1;
  const [low, high] = [0.01, 0.99].map((share) => {
    let [value, below] = [0, counts[0]];
    while (below <= share * (data.length - 1)) below += counts[(value += 1)];
    return value;
  });
  const span = high > low ? high - low : 1;
  return (sample) => Math.min(Math.max((sample - low) / span, 0), 1) * 255;
}
