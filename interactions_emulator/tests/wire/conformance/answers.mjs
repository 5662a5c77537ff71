/* Flows with a model; what each is to show stands in flows.json. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { checkCitations, checkStream, contentsOf, deltasOf, eventsOf, refused, stepsOf, textOf } from "./api.mjs";

const WEATHER = {
  type: "function",
  name: "get_weather",
  description: "Gets the current weather of a place.",
  parameters: {
    type: "object",
    properties: { place: { type: "string", description: "A city, such as Rome." } },
    required: ["place"],
  },
};
const IN_LISBON = "What is the weather in Lisbon?";
const PERSON = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
};

export async function text_answer(api) {
  const made = await api.ask("Hello!");
  assert.ok(made.id);
  assert.equal(made.status, "completed");
  assert.ok(made.model.includes(api.model), made.model);
  assert.ok(made.created && made.updated);
  assert.ok(made.output_text);
  assert.equal(made.output_text, contentsOf(made).map((content) => content.text).join(""));
  assert.ok(made.usage.total_input_tokens > 0 && made.usage.total_output_tokens > 0);
}

export async function stream(api) {
  const events = await eventsOf(await api.ask("What is a tide?", { stream: true }));
  checkStream(events);
  assert.equal(events.at(-1).interaction.status, "completed");
  assert.ok(events.at(-1).interaction.usage.total_tokens > 0);
  const stored = await api.interactions.get(events[0].interaction.id);
  assert.equal(textOf(events), stored.output_text);
}

export async function function_call(api) {
  const asked = await api.ask(IN_LISBON, { tools: [WEATHER] });
  assert.equal(asked.status, "requires_action");
  const [call, ...others] = stepsOf(asked, "function_call");
  assert.equal(others.length, 0);
  assert.ok(call.id);
  assert.equal(call.name, "get_weather");
  assert.match(call.arguments.place, /Lisbon/);
  const told = await api.ask([resultOf(call.id)], { previous_interaction_id: asked.id, tools: [WEATHER] });
  assert.equal(told.status, "completed");
  assert.notEqual(told.id, asked.id);
  assert.match(told.output_text, /21/);
}

export async function function_call_stream(api) {
  const events = await eventsOf(await api.ask(IN_LISBON, { tools: [WEATHER], stream: true }));
  checkStream(events);
  assert.equal(events.at(-1).interaction.status, "requires_action");
  const [call, ...others] = events.filter(({ step }) => step?.type === "function_call");
  assert.equal(others.length, 0);
  const pieces = deltasOf(events, "arguments_delta").map((delta) => delta.arguments);
  assert.match(JSON.parse(pieces.join("")).place, /Lisbon/);
  const more = { previous_interaction_id: events[0].interaction.id, tools: [WEATHER], stream: true };
  const told = await eventsOf(await api.ask([resultOf(call.step.id)], more));
  checkStream(told);
  assert.match(textOf(told), /21/);
}

export async function structured_output(api) {
  const wanted = { type: "text", mime_type: "application/json", schema: PERSON };
  const made = await api.ask("Extract name and age: Ada Lovelace, 36.", { response_format: wanted });
  assert.deepEqual(JSON.parse(made.output_text), { name: "Ada Lovelace", age: 36 });
}

export async function chain(api) {
  const first = await api.ask("Hello, my name is Ada.");
  const second = await api.ask("What is my name?", { previous_interaction_id: first.id });
  assert.notEqual(second.id, first.id);
  assert.equal(second.previous_interaction_id, first.id);
  assert.match(second.output_text, /Ada/);
}

export async function branches(api) {
  const root = await api.ask("Hello, my name is Ada.");
  const one = await api.ask("From now on my name is Grace.", { previous_interaction_id: root.id });
  const other = await api.ask("What is my name?", { previous_interaction_id: root.id });
  assert.equal(new Set([root.id, one.id, other.id]).size, 3);
  assert.match(other.output_text, /Ada/);
  assert.doesNotMatch(other.output_text, /Grace/);
}

export async function not_stored_is_not_found(api) {
  const made = await api.ask("Hello!", { store: false });
  assert.equal(made.status, "completed");
  if (made.id) await refused(404, () => api.interactions.get(made.id));
}

export async function get_with_input(api) {
  const made = await api.ask("Hello!");
  const [first, ...rest] = (await api.interactions.get(made.id, { include_input: true })).steps;
  assert.equal(first.type, "user_input");
  assert.equal(first.content[0].text, "Hello!");
  assert.deepEqual(rest.map((step) => step.type), made.steps.map((step) => step.type));
  assert.equal(rest.at(-1).content[0].text, made.steps.at(-1).content[0].text);
}

export async function deleted_is_not_found(api) {
  const made = await api.ask("Hello!");
  assert.equal((await api.interactions.get(made.id)).id, made.id);
  await api.interactions.delete(made.id);
  await refused(404, () => api.interactions.get(made.id));
}

export async function unknown_previous_is_not_found(api) {
  const gone = await api.ask("Hello!");
  await api.interactions.delete(gone.id);
  await refused(404, () => api.ask("And now?", { previous_interaction_id: gone.id }));
}

export async function model_and_agent_is_refused(api) {
  await refused(400, () => api.ask("Hello!", { agent: api.agent }));
}

export async function neither_model_nor_agent_is_refused(api) {
  await refused(400, () => api.interactions.create({ input: "Hello!" }));
}

export async function labels_and_tier(api) {
  const made = await api.ask("Hello!", { labels: { team: "tides" }, service_tier: "standard" });
  assert.deepEqual(made.labels, { team: "tides" });
  assert.equal(made.service_tier, "standard");
}

export async function search_citations(api) {
  const made = await api.ask("What is a tidal barrage?", { tools: [{ type: "google_search" }] });
  const calls = stepsOf(made, "google_search_call");
  assert.ok(calls.length > 0 && calls.every((call) => call.id && call.arguments.queries.length > 0));
  const answered = stepsOf(made, "google_search_result").map((result) => result.call_id);
  assert.deepEqual(new Set(answered), new Set(calls.map((call) => call.id)));
  checkCitations(made);
}

export async function picture_and_document_input(api) {
  const picture = readFileSync(new URL("red.png", import.meta.url)).toString("base64");
  const table = Buffer.from("place,temperature\nLisbon,21\n").toString("base64");
  const made = await api.ask([
    { type: "text", text: "What do you see?" },
    { type: "image", mime_type: "image/png", data: picture },
    { type: "document", mime_type: "text/csv", data: table },
  ]);
  assert.equal(made.status, "completed");
  assert.ok(made.output_text);
  const stored = await api.interactions.get(made.id, { include_input: true });
  assert.deepEqual(stored.steps[0].content.map((content) => content.type), ["text", "image", "document"]);
}

export async function picture_output(api) {
  const made = await api.ask("Draw a red circle.", { response_format: { type: "image", mime_type: "image/png" } });
  const contents = contentsOf(made);
  const picture = contents.find((content) => content.type === "image");
  assert.ok(picture, `no picture among ${contents.map((content) => content.type)}`);
  assert.equal(picture.mime_type, "image/png");
  assert.equal(Buffer.from(picture.data, "base64").subarray(0, 8).toString("latin1"), "\x89PNG\r\n\x1a\n");
}

export async function continuation(api) {
  const made = await api.ask("Count to three, with pauses.");
  assert.equal(made.status, "completed");
  assert.equal(made.output_text, "one two three");
  assert.equal(made.steps.length, 3);
  assert.equal(made.continuation_ids.at(-1), made.id);
  assert.ok(made.usage.initial_input_tokens < made.usage.total_input_tokens);
}

export async function continuation_stream(api) {
  const events = await eventsOf(await api.ask("Count to three, with pauses.", { stream: true }));
  checkStream(events, 3);
  assert.equal(textOf(events), "one two three");
  const ends = events.filter((event) => event.event_type === "interaction.completed");
  const statuses = ends.map((event) => event.interaction.status);
  assert.deepEqual(statuses, ["requires_continuation", "requires_continuation", "completed"]);
}

function resultOf(call_id) {
  const result = { temperature: "21 °C", sky: "clear" };
  return { type: "function_result", call_id, name: "get_weather", result };
}
