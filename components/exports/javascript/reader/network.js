// The model of the page, in the runtime in which it was judged: WebAssembly with one thread.

import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import wasmBytes from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm";
import { env } from "@tensorflow/tfjs-core";

import { openModel } from "../model.js";
import { refuse } from "./refused.js";

/**
 * @param {{files: Object<string, string>, heatmap: boolean}} record what export.json says.
 * @param {Object<string, Uint8Array>} files of the model, by name.
 * @returns {Promise<(pixels: Float32Array) => Promise<{logit: number, heatmap: ?object}>>}
 * @throws {Refused} a file is another than the record says, or this browser cannot run it.
 */
export async function openNetwork(record, files) {
  for (const [name, wanted] of Object.entries(record.files)) {
    const got = files[name] && (await sha256(files[name]));
    if (got !== wanted) refuse(`${name} of the model was altered or cut short; get the page anew`);
  }
  // The bytes are in this script: nothing is fetched.
  env().platform.fetch = async () => new Response(wasmBytes);
  setWasmPaths("./", true);
  env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  if (!(await env().getAsync("WASM_HAS_SIMD_SUPPORT"))) {
    refuse("this browser is too old: it has no WebAssembly SIMD; update it or use another");
  }
  const description = JSON.parse(new TextDecoder().decode(files["model.json"]));
  const names = description.weightsManifest.flatMap(({ paths }) => paths);
  const weights = await new Blob(names.map((name) => files[name])).arrayBuffer();
  const model = await openModel("wasm", description, weights);
  if (record.heatmap) return (pixels) => model.explain(pixels);
  return async (pixels) => ({ logit: await model.logit(pixels), heatmap: null });
}

export const sigmoid = (logit) => 1 / (1 + Math.exp(-logit));

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
