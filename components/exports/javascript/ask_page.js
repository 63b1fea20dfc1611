// In a page of Chromium's: answers to ask.js through the DevTools protocol, so it needs no server.

import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import simd from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm";
import plain from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm";
import "@tensorflow/tfjs-backend-webgl";
import { LIBRARY, Missing, openModel } from "./model.js";
import { decodePicture, prepared } from "./pixels.js";

const address = (bytes) => URL.createObjectURL(new Blob([bytes], { type: "application/wasm" }));
setWasmPaths({
  "tfjs-backend-wasm.wasm": address(plain),
  "tfjs-backend-wasm-simd.wasm": address(simd),
  // A page that is not isolated from others has one thread, so this is never asked for.
  "tfjs-backend-wasm-threaded-simd.wasm": address(simd),
});

const shards = [];
let model;

globalThis.casegate = {
  /** A piece of the model's weights, in order. */
  add(base64) {
    shards.push(bytesOf(base64));
  },

  /** What model.json says: {size, version}; {missing} where there is no such backend. */
  async open(backend, description) {
    try {
      model = await openModel(backend, description, await new Blob(shards).arrayBuffer());
    } catch (error) {
      if (error instanceof Missing) return { missing: error.message };
      throw error;
    }
    return { size: model.size, version: backend === "webgl" ? `${LIBRARY}, ${card()}` : LIBRARY };
  },

  /** Of one encoded picture {logit, milliseconds}; {unreadable}, why it cannot be used. */
  async ask(base64) {
    let pixels;
    try {
      pixels = prepared(await decodePicture(bytesOf(base64)), model.size);
    } catch (error) {
      return { unreadable: error.message };
    }
    const start = performance.now();
    const logit = await model.logit(pixels);
    return { logit, milliseconds: performance.now() - start };
  },
};

const bytesOf = (base64) => Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));

/** What WebGL says it draws with, such as SwiftShader, which is no card at all. */
function card() {
  const drawing = document.createElement("canvas").getContext("webgl");
  const unmasked = drawing?.getExtension("WEBGL_debug_renderer_info");
  return unmasked ? drawing.getParameter(unmasked.UNMASKED_RENDERER_WEBGL) : "unknown renderer";
}
