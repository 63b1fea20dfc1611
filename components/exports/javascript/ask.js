// A program: runs a graph model of TensorFlow.js, one picture at a time, in Node or in Chromium.
//
//     node ask.cjs node_wasm|chromium_wasm|chromium_webgl FOLDER [CHROMIUM]
//
// Every message is a line of JSON, then the bytes that it announces. First out is {missing, fault,
// version, size}: `missing` says why the runtime cannot be had, `fault` why the model cannot be run;
// neither gets further. A request is {sizes} and as many encoded pictures; its answer
// {fault, unreadable, milliseconds} and the logits, float32. Last, when the requests end, comes
// {peak_memory_bytes}.

import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { readFileSync, readSync, writeSync } from "node:fs";
import { basename, join } from "node:path";
import { peakMemoryOf, startChromium } from "./chromium.js";
import { LIBRARY, Missing, openModel } from "./model.js";
import { decodePicture, prepared } from "./pixels.js";

const MODEL = "model.json";
const PIECE = 1 << 23; // of weights, in bytes, in one message to Chromium

/** What model.json says, and its shards, which lie beside it. */
function read(folder) {
  const description = JSON.parse(readFileSync(join(folder, MODEL)));
  const paths = description.weightsManifest.flatMap((group) => group.paths);
  for (const path of paths) {
    if (basename(path) !== path) throw new Error(`${MODEL} names a file elsewhere: ${path}`);
  }
  return [description, Buffer.concat(paths.map((path) => readFileSync(join(folder, path))))];
}

async function inNode(description, weights) {
  // The program lies beside node_modules.
  setWasmPaths(join(__dirname, "node_modules/@tensorflow/tfjs-backend-wasm/dist/"));
  const shards = weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.length);
  const model = await openModel("wasm", description, shards);
  return {
    version: `${LIBRARY}, Node ${process.versions.node}`,
    size: model.size,
    async ask(picture) {
      let pixels;
      try {
        pixels = prepared(await decodePicture(picture), model.size);
      } catch (error) {
        return { unreadable: error.message };
      }
      const start = performance.now();
      const logit = await model.logit(pixels);
      return { logit, milliseconds: performance.now() - start };
    },
    peakMemory: () => peakMemoryOf("self"),
    end() {},
  };
}

async function inChromium(program, backend, description, weights) {
  const script = readFileSync(join(__dirname, "ask_page.js"), "utf8");
  const chromium = await startChromium(program, script).catch((error) => {
    throw new Missing(`${program} ${error.message}`);
  });
  for (let at = 0; at < weights.length; at += PIECE) {
    await chromium.evaluate(`casegate.add("${weights.toString("base64", at, at + PIECE)}")`);
  }
  const opened = await chromium.evaluate(`casegate.open("${backend}", ${JSON.stringify(description)})`);
  if (opened.missing) throw new Missing(opened.missing);
  return {
    version: `${opened.version}, ${chromium.version}`,
    size: opened.size,
    ask: (picture) => chromium.evaluate(`casegate.ask("${picture.toString("base64")}")`),
    peakMemory: () => chromium.peakMemory(),
    end: () => chromium.process.kill(),
  };
}

/** `count` bytes of standard input; fewer where it ends. */
function bytes(count) {
  const buffer = Buffer.alloc(count);
  let at = 0;
  for (let got = 1; got && at < count; at += got) got = readSync(0, buffer, at, count - at);
  return buffer.subarray(0, at);
}

/** The line of JSON that begins a request; undefined where no more comes. */
function head() {
  const signs = [];
  for (let sign; (sign = bytes(1)).length && sign[0] !== 10; ) signs.push(sign[0]);
  return signs.length ? JSON.parse(Buffer.from(signs)) : undefined;
}

function send(message, content = Buffer.alloc(0)) {
  const whole = Buffer.concat([Buffer.from(`${JSON.stringify(message)}\n`), content]);
  for (let at = 0; at < whole.length; ) at += writeSync(1, whole, at);
}

async function answer(asked, sizes) {
  const found = { logits: [], milliseconds: [] };
  for (const picture of sizes.map(bytes)) {
    const { unreadable, logit, milliseconds } = await asked.ask(picture);
    if (unreadable) return send({ unreadable, at: found.logits.length });
    found.logits.push(logit ?? NaN); // JSON has no NaN
    found.milliseconds.push(milliseconds);
  }
  send({ milliseconds: found.milliseconds }, Buffer.from(Float32Array.from(found.logits).buffer));
}

async function main(runtime, folder, chromium) {
  let asked;
  try {
    const [place, backend] = runtime.split("_");
    const start = place === "node" ? inNode : inChromium.bind(null, chromium, backend);
    asked = await start(...read(folder));
    send({ version: asked.version, size: asked.size });
    for (let request; (request = head()); ) await answer(asked, request.sizes);
    send({ peak_memory_bytes: await asked.peakMemory() });
  } catch (error) {
    const why = String(error.message ?? error).split("\n")[0];
    send(error instanceof Missing ? { missing: why } : { fault: why });
  }
  asked?.end();
  process.exit();
}

main(...process.argv.slice(2));
