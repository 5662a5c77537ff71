// The helper for tests in Node. COMMAND is the emulator's command as JSON.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

import { startEmulator } from "../../node/index.mjs";

const COMMAND = JSON.parse(process.env.COMMAND);
const RESEARCH = { agent: "deep-research-preview-04-2026", background: true, input: "tides" };

async function post(emulator, body) {
  const headers = { "x-goog-api-key": "any", ...emulator.headers };
  const response = await fetch(`${emulator.url}/v1beta/interactions`, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}

test("a run progresses with the time that the test advances", async () => {
  const emulator = await startEmulator({ speed: 0 }, COMMAND);
  try {
    assert.equal((await post(emulator, RESEARCH)).body.status, "in_progress");
    await emulator.advance(3600);
    const [run] = await emulator.interactions();
    assert.equal(run.status, "completed");
    assert.equal(run.resource.steps.at(-1).type, "model_output");
  } finally {
    await emulator.stop();
  }
});

test("faults hit the requests of their scope only, and the log shows it", async () => {
  const emulator = await startEmulator({}, COMMAND);
  const scope = emulator.scope("one ü");
  try {
    await scope.faults({ on: "create", status: 503 });
    assert.equal((await post(emulator, { model: "m", input: "Hi" })).status, 200);
    assert.equal((await post(scope, { model: "m", input: "Hi" })).status, 503);
    const log = await scope.log();
    assert.deepEqual(log.requests.map((request) => [request.status, request.body.input]), [[503, "Hi"]]);
    await scope.stop();
    assert.equal((await scope.log()).requests.length, 0);
    await assert.rejects(emulator.faults({ on: "nothing" }), /on is one of/);
  } finally {
    await emulator.stop();
  }
});

test("options may be objects, lists of them, and undefined", async () => {
  const fault = [{ on: "create", status: 418 }, "overloaded"];
  const emulator = await startEmulator({ fault, corpus: undefined, state: null }, COMMAND);
  try {
    assert.equal((await post(emulator, { model: "m", input: "Hi" })).status, 418);
    assert.equal((await post(emulator, { model: "m", input: "Hi" })).status, 503);
  } finally {
    await emulator.stop();
  }
});

test("a program that does not stop its emulator ends, and the emulator with it", async () => {
  const helper = new URL("../../node/index.mjs", import.meta.url).href;
  const program = `
    const { startEmulator } = await import(${JSON.stringify(helper)});
    console.log((await startEmulator({}, ${JSON.stringify(COMMAND)})).url);`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program]);
  for (;;) if (await fetch(stdout.trim()).then(() => false, () => true)) break; // it needs a moment to close its port
});

test("an option that the emulator refuses, or a missing command, is an error with its words", async () => {
  await assert.rejects(startEmulator({ scenarios: "no-such-file.yaml" }, COMMAND), /no-such-file\.yaml/);
  await assert.rejects(startEmulator({}, ["no-such-command"]), /no-such-command cannot be started .* install the Python package/);
});
