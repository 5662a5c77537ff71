/* Flows about the service around the answers: limits, webhooks. */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { refused } from "./api.mjs";

const PATIENCE = 60_000; // milliseconds to wait for a message

export async function rate_limit(api) {
  const headers = { "x-emulator-fault": JSON.stringify({ status: 429, retry_after_ms: 1 }) };
  const error = await api.ask("Hello!", {}, { headers }).then(() => assert.fail("the fault did not hit"), (one) => one);
  assert.deepEqual([error.name, error.status], ["RateLimitError", 429]);
}

export async function webhooks(api) {
  const hooks = api.client.webhooks;
  const { url, hear, close } = await listen();
  try {
    const made = await hooks.create({ uri: url, subscribed_events: ["interaction.completed"], name: "mine" });
    assert.ok(made.id && made.new_signing_secret);
    assert.equal(made.state, "enabled");
    assert.ok((await hooks.list()).webhooks.some((hook) => hook.id === made.id));
    const interaction = await api.ask("Hello!");
    const message = verified(await hear(), made.new_signing_secret);
    assert.deepEqual([message.type, message.data.id], ["interaction.completed", interaction.id]);
    assert.equal((await hooks.update(made.id, { name: "ours" })).name, "ours");
    const { secret } = await hooks.rotateSigningSecret(made.id);
    assert.ok(secret);
    assert.notEqual(secret, made.new_signing_secret);
    await hooks.ping(made.id);
    verified(await hear(), secret);
    const shown = await hooks.get(made.id);
    assert.deepEqual([shown.name, shown.uri, shown.new_signing_secret ?? null], ["ours", url, null]);
    await hooks.delete(made.id);
    await refused(404, () => hooks.get(made.id));
  } finally {
    close();
  }
}

/** Serves an address; `hear` waits for the next message sent there. */
async function listen() {
  const heard = [];
  const waiting = [];
  const server = createServer(async (request, response) => {
    const parts = await request.toArray();
    response.end();
    const message = { headers: request.headers, body: Buffer.concat(parts).toString() };
    if (waiting.length) waiting.shift()(message);
    else heard.push(message);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const hear = () =>
    new Promise((resolve, reject) => {
      if (heard.length) return resolve(heard.shift());
      waiting.push(resolve);
      setTimeout(() => reject(new Error("no message came")), PATIENCE).unref();
    });
  return { url: `http://127.0.0.1:${server.address().port}/hook`, hear, close: () => server.close() };
}

/** The message, if its signature is good (Standard Webhooks). */
function verified({ headers, body }, secret) {
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const wanted = `v1,${createHmac("sha256", key).update(signed).digest("base64")}`;
  assert.ok(headers["webhook-signature"].split(" ").includes(wanted), headers["webhook-signature"]);
  return JSON.parse(body);
}
