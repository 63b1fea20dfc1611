// A graph model of TensorFlow.js on one backend: prepared pixels in, the logit out.

import { loadGraphModel } from "@tensorflow/tfjs-converter";
import { env, getBackend, io, ready, setBackend, tensor, version_core } from "@tensorflow/tfjs-core";

/** What names the library, as the version of a runtime does. */
export const LIBRARY = `TensorFlow.js ${version_core}`;

/**
 * Starts a backend and opens a model in it.
 * @param {string} backend "wasm" or "webgl", which the caller has imported.
 * @param {object} description what model.json says.
 * @param {ArrayBuffer} weights its shards, one after the other.
 * @returns {Promise<Model>}
 * @throws {Missing} it does not start here.
 * @throws {Error} the files are no such model.
 */
export async function openModel(backend, description, weights) {
  const started = await setBackend(backend).catch(() => false);
  if (!started) throw new Missing(`${LIBRARY} has no backend ${backend} here`);
  await ready();
  if (getBackend() !== backend) throw new Missing(`${backend} gave way to ${getBackend()}`);
  if (backend === "webgl" && !env().getBool("WEBGL_RENDER_FLOAT32_ENABLED")) {
    throw new Missing("WebGL computes with half precision here");
  }
  const { modelTopology, signature, weightsManifest } = description;
  const weightSpecs = weightsManifest.flatMap((group) => group.weights);
  const wanted = weightSpecs.reduce((sum, spec) => sum + bytesOf(spec), 0);
  if (wanted !== weights.byteLength) {
    throw new Error(`its weights have ${weights.byteLength} bytes, wanted ${wanted}`);
  }
  const graph = await loadGraphModel(
    io.fromMemory({ modelTopology, signature, weightSpecs, weightData: weights }),
  );
  return new Model(graph, signature);
}

/** What this machine does not have; the message says why. */
export class Missing extends Error {}

/** `size` is the side of its input in pixels; `heatmap` whether it explains. */
class Model {
  constructor(graph, { inputs, outputs }) {
    const shape = inputs.pixels?.tensorShape.dim.map((dim) => Number(dim.size)) ?? [];
    const size = shape[1];
    if (shape.length !== 4 || shape[2] !== size || shape[3] !== 1 || !outputs.logit) {
      throw new Error(`it takes [${shape}] and gives ${Object.keys(outputs)}, wanted pixels of
[1, size, size, 1] and a logit`.replace("\n", " "));
    }
    Object.assign(this, { graph, outputs, size, heatmap: "heatmap" in outputs });
  }

  /** Of one picture's prepared pixels, size * size values in [0, 1]. */
  async logit(pixels) {
    const [{ values }] = await this.#run(pixels, ["logit"]);
    if (values.length !== 1) throw new Error(`it gives ${values.length} logits, wanted one`);
    return values[0];
  }

  /** The logit, and the heat map: `values` in [0, 1], row by row, of `shape` [height, width]. */
  async explain(pixels) {
    const [logit, { values, shape }] = await this.#run(pixels, ["logit", "heatmap"]);
    return { logit: logit.values[0], heatmap: { values, shape: shape.slice(1) } };
  }

  async #run(pixels, names) {
    const given = tensor(pixels, [1, this.size, this.size, 1], "float32");
    const wanted = names.map((name) => this.outputs[name].name);
    const found = this.graph.execute([given], wanted);
    const tensors = Array.isArray(found) ? found : [found];
    try {
      return await Promise.all(
        tensors.map(async (one) => ({ values: await one.data(), shape: one.shape })),
      );
    } finally {
      [given, ...tensors].forEach((one) => one.dispose());
    }
  }
}

const BYTES = { float32: 4, int32: 4, bool: 1 };

function bytesOf({ name, dtype, shape, quantization }) {
  if (!(dtype in BYTES) || quantization) throw new Error(`weight ${name} is of another type`);
  return shape.reduce((product, side) => product * side, BYTES[dtype]);
}
