/* The client under test, and what the flows look at again and again. */

import assert from "node:assert/strict";

const TIMEOUT = 600_000; // milliseconds that a request may take

/** A client with the model and the agent that the flows ask. `patience` is milliseconds between two polls. */
export class Api {
  constructor(GoogleGenAI, { key, baseUrl, model, agent, live }) {
    const httpOptions = { timeout: TIMEOUT, ...(baseUrl && { baseUrl }) };
    this.client = new GoogleGenAI({ apiKey: key, vertexai: false, httpOptions });
    this.interactions = this.client.interactions;
    this.model = model;
    this.agent = agent;
    this.patience = live ? 10_000 : 50;
  }

  /** Creates an interaction with the model. */
  ask(input, body = {}, options = undefined) {
    return this.interactions.create({ model: this.model, input, ...body }, options);
  }
}

/** Checks that a call is refused with an HTTP status, and with a reason. */
export async function refused(status, call) {
  const error = await call().then(
    () => assert.fail(`expected ${status}, but it was accepted`),
    (reason) => reason,
  );
  assert.equal(error.status, status, `expected ${status}, got ${error}`);
  assert.ok(error.message, "a refusal without a reason");
}

/** All events of a stream. */
export async function eventsOf(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

/** Checks the order of events: created, steps one by one, completed; so many times; no event twice. */
export function checkStream(events, pairs = 1) {
  const ids = events.map((event) => event.event_id).filter(Boolean);
  assert.equal(new Set(ids).size, ids.length, `an event came twice: ${ids}`);
  const kinds = events.map((event) => event.event_type);
  const count = (kind) => kinds.filter((one) => one === kind).length;
  assert.equal(count("error"), 0, JSON.stringify(events.find((event) => event.event_type === "error")));
  assert.deepEqual([kinds.at(0), kinds.at(-1)], ["interaction.created", "interaction.completed"]);
  assert.deepEqual([count("interaction.created"), count("interaction.completed")], [pairs, pairs]);
  let opened = [];
  events.forEach((event, number) => {
    if (event.event_type === "interaction.created") {
      assert.ok(number === 0 || kinds[number - 1] === "interaction.completed", `${kinds}`);
      opened = [];
    } else if (event.event_type === "step.start") {
      assert.ok(!opened.length || event.index > opened.at(-1), `step ${event.index} after ${opened}`);
      opened.push(event.index);
    } else if (["step.delta", "step.stop"].includes(event.event_type)) {
      assert.equal(event.index, opened.at(-1), `${event.event_type} of step ${event.index} while ${opened} are there`);
    }
  });
  assert.ok(count("step.start") > 0, "no step");
  assert.equal(count("step.start"), count("step.stop"), "steps that began and that ended");
}

/** The deltas of a kind. */
export function deltasOf(events, kind) {
  return events.filter((event) => event.event_type === "step.delta" && event.delta.type === kind).map(({ delta }) => delta);
}

/** The text that a stream has told. */
export function textOf(events) {
  return deltasOf(events, "text").map((delta) => delta.text).join("");
}

/** The steps of a kind. */
export function stepsOf(interaction, kind) {
  return (interaction.steps ?? []).filter((step) => step.type === kind);
}

/** What the model has put out, of all its steps. */
export function contentsOf(interaction) {
  return stepsOf(interaction, "model_output").flatMap((step) => step.content ?? []);
}

/** Checks that there are citations, and that each cuts whole characters out of the bytes of its text. */
export function checkCitations(interaction) {
  let cited = 0;
  for (const { text, annotations = [] } of contentsOf(interaction).filter((content) => content.type === "text")) {
    const raw = Buffer.from(text);
    for (const note of annotations.filter((one) => one.type === "url_citation")) {
      const { url, start_index: start = 0, end_index: end } = note;
      assert.match(url, /^http/);
      assert.ok(0 <= start && start < end && end <= raw.length, JSON.stringify(note));
      new TextDecoder("utf-8", { fatal: true }).decode(raw.subarray(start, end));
      cited += 1;
    }
  }
  assert.ok(cited > 0, "nothing is cited");
}
