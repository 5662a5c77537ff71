// Starts the emulator for tests in Node, and controls it. It needs no other package, only the command
// `interactions-emulator`, which the Python package of the same name installs.
//
//   import { startEmulator } from "interactions-emulator";
//
//   const emulator = await startEmulator({ speed: 0 });
//   const client = new GoogleGenAI({ apiKey: "any", httpOptions: { baseUrl: emulator.url } });
//   await emulator.advance(600);
//   await emulator.stop();
//
// An emulator that is not stopped ends with the program.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const REMEDY = "install the Python package of this name in an active environment, or give startEmulator the command's path";

/**
 * Start an emulator on a free port.
 *
 * @param {Record<string, unknown>} options Options of the command line, such as {speed: 0, corpus: "docs",
 *   scenarios: "answers.yaml", webhookHost: ["example.org"], fault: [{on: "create", status: 503}, "overloaded"]}. One
 *   without a value is left out. The default speed is "inf": nothing waits. An hour
 *   without requests ends the emulator, in case that this program was killed; see {idleExit: seconds}.
 * @param {string[]} command The command and its first arguments; another one if the emulator is not on the PATH.
 * @returns {Promise<Emulator>}
 * @throws {Error} The command is missing, or the emulator refuses the options; the message is the emulator's.
 */
export async function startEmulator(options = {}, command = ["interactions-emulator"]) {
  const [program, ...first] = command;
  const child = spawn(program, [...first, ...argumentsOf({ speed: "inf", idleExit: 3600, ...options })], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (said += text));
  const failed = new Promise((_, reject) => {
    child.once("error", (error) =>
      reject(new Error(`${program} cannot be started (${error.code}): ${REMEDY}`, { cause: error })),
    );
    child.once("close", (code) => reject(new Error(said.trim() || `${program} ended with ${code}`)));
  });
  failed.catch(() => {}); // a later end is not an error
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([once(lines, "line"), failed]);
  lines.close();
  const kill = () => child.kill();
  process.once("exit", kill);
  child.once("close", () => process.off("exit", kill));
  for (const kept of [child, child.stdout.resume(), child.stderr]) kept.unref(); // a test that fails does not hang
  return new Emulator(child, /http:\/\/\S+/.exec(line)[0]);
}

export class Emulator {
  #child;
  #headers;

  constructor(child, url, headers = {}) {
    this.#child = child;
    this.#headers = headers;
    /** Base URL for clients. */
    this.url = url;
  }

  /** Headers with which clients reach this scope; empty for the whole emulator. */
  get headers() {
    return this.#headers;
  }

  /** A part of this emulator with state, faults, clock and log of its own. */
  scope(name) {
    return new Emulator(null, this.url, { "x-emulator-scope": encodeURIComponent(name) });
  }

  /** Advance virtual time; resolves when each run has added all steps that are due by then. */
  advance(seconds) {
    return this.#control("POST", "clock", { advance: seconds });
  }

  /** Add faults, such as {on: "create", status: 503}. Without arguments, remove all. */
  faults(...faults) {
    return faults.length ? this.#control("POST", "faults", faults) : this.#control("DELETE", "faults");
  }

  /** The request log: {creates, creates_by_key, connections, requests}, each request with its body. */
  log() {
    return this.#control("GET", "log?bodies");
  }

  /** The stored interactions, oldest first, each with its whole `resource`. */
  interactions() {
    return this.#control("GET", "interactions?steps");
  }

  /** Stop the emulator, or delete the scope. */
  async stop() {
    if (!this.#child) return void (await this.#control("DELETE", "scope"));
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const closed = once(this.#child, "close");
      this.#child.ref();
      this.#child.kill();
      await closed;
    }
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
  }

  async #control(method, path, body) {
    const response = await fetch(`${this.url}/_emulator/${path}`, {
      method,
      headers: this.#headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error.message);
    return answer;
  }
}

function argumentsOf(options) {
  return Object.entries(options).flatMap(([name, value]) => {
    const option = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const values = [value ?? []].flat();
    return values.flatMap((one) => [option, typeof one === "object" ? JSON.stringify(one) : String(one)]);
  });
}
