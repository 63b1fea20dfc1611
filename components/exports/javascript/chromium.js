// A headless Chromium with one empty page, driven over two pipes: no port is open, and no address
// can be reached from it.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FLAGS = [
  "--headless",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-dev-shm-usage",
  "--host-resolver-rules=MAP * ~NOTFOUND",
  "--remote-debugging-pipe",
  // Without a card WebGL is computed by SwiftShader.
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
];
const START_MS = 60_000;

/**
 * @param {string} program its path.
 * @param {string} script what the page runs first.
 * @returns {Promise<Chromium>}
 * @throws {Error} it does not start.
 */
export async function startChromium(program, script) {
  const chromium = new Chromium(program);
  const late = new Promise((_, fail) => {
    setTimeout(() => fail(new Error("did not start in a minute")), START_MS).unref();
  });
  await Promise.race([chromium.start(script), late]);
  return chromium;
}

/** Bytes. getrusage() would say of a program what its parent held, too, when it was started. */
export function peakMemoryOf(process) {
  const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${process}/status`, "utf8"));
  return Number(kilobytes) * 1024;
}

class Chromium {
  #calls = new Map();
  #count = 0;
  #session;

  constructor(program) {
    // As root there is no sandbox to be had; the only page is empty.
    const flags = process.getuid() === 0 ? [...FLAGS, "--no-sandbox"] : FLAGS;
    const profile = mkdtempSync(join(tmpdir(), "chromium-")); // TMPDIR is the caller's to remove
    this.process = spawn(program, [...flags, `--user-data-dir=${profile}`, "about:blank"], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    const ended = (why) => this.#calls.forEach(({ fail }) => fail(new Error(why)));
    this.process.on("error", (error) => ended(error.message));
    this.process.on("exit", (code, signal) => ended(`ended with ${signal ?? `exit code ${code}`}`));
    this.process.stdio[3].on("error", () => {}); // its end is told by "exit"
    let pieces = [];
    this.process.stdio[4].on("data", (piece) => {
      let end;
      while ((end = piece.indexOf(0)) >= 0) {
        this.#take(JSON.parse(Buffer.concat([...pieces, piece.subarray(0, end)])));
        [pieces, piece] = [[], piece.subarray(end + 1)];
      }
      pieces.push(piece);
    });
  }

  async start(script) {
    this.version = (await this.#call("Browser.getVersion")).product.replace("/", " ");
    const { targetId } = await this.#call("Target.createTarget", { url: "about:blank" });
    const attached = await this.#call("Target.attachToTarget", { targetId, flatten: true });
    this.#session = attached.sessionId;
    await this.evaluate(`${script};0`);
  }

  /** The value of an expression in the page, once it is there; throws what it threw. */
  async evaluate(expression) {
    const options = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.#call("Runtime.evaluate", options);
    if (exceptionDetails) {
      const thrown = exceptionDetails.exception?.description ?? exceptionDetails.text;
      throw new Error(thrown.split("\n")[0]);
    }
    return result.value;
  }

  /** Bytes, at most, of the process of the page and of the one that draws. */
  async peakMemory() {
    this.#session = undefined;
    const { processInfo } = await this.#call("SystemInfo.getProcessInfo");
    const peaks = (type) =>
      processInfo.filter((one) => one.type === type).map(({ id }) => peakMemoryOf(id));
    return Math.max(...peaks("renderer")) + Math.max(0, ...peaks("GPU"));
  }

  #call(method, params = {}) {
    const id = ++this.#count;
    const message = { id, method, params, ...(this.#session && { sessionId: this.#session }) };
    this.process.stdio[3].write(`${JSON.stringify(message)}\0`);
    return new Promise((done, fail) => this.#calls.set(id, { done, fail }));
  }

  #take({ id, result, error }) {
    const call = this.#calls.get(id); // an event has none
    this.#calls.delete(id);
    if (error) call?.fail(new Error(error.message));
    else call?.done(result);
  }
}
