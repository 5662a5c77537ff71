/* Flows with an agent that works in the background; what each is to show stands in flows.json. */

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { checkCitations, checkStream, eventsOf, stepsOf, textOf } from "./api.mjs";

const QUESTION = "Research tidal power: costs and nature";
const RUNNING = ["queued", "in_progress"];

export async function research_poll(api) {
  const started = await start(api, QUESTION, { thinking_summaries: "auto" });
  assert.ok(started.id);
  assert.ok(RUNNING.includes(started.status), started.status);
  const done = await wait(api, started.id);
  assert.equal(done.status, "completed");
  assert.ok(done.agent.includes(api.agent), done.agent);
  assert.ok(stepsOf(done, "thought").some((thought) => thought.summary?.length), "no thought is summarized");
  assert.ok(done.output_text);
  checkCitations(done);
}

export async function research_stream_resume(api) {
  const first = [];
  for await (const event of await start(api, QUESTION, { thinking_summaries: "auto" }, { stream: true })) {
    first.push(event);
    if (first.length === 5) break; // closes the stream
  }
  const id = first[0].interaction.id;
  const cursor = first.at(-1).event_id;
  assert.ok(cursor, "an event without an id cannot be resumed after");
  const rest = await eventsOf(await api.interactions.get(id, { stream: true, last_event_id: cursor }));
  checkStream([...first, ...rest]);
  const again = await eventsOf(await api.interactions.get(id, { stream: true }));
  const idsOf = (events) => events.map((event) => event.event_id);
  assert.deepEqual(idsOf(again), idsOf([...first, ...rest]));
  const done = await api.interactions.get(id);
  assert.deepEqual([done.status, rest.at(-1).interaction.status], ["completed", "completed"]);
  assert.ok(textOf(again).endsWith(done.output_text), "the stream told another text than is stored");
}

export async function research_cancel(api) {
  const started = await start(api, "Research the history of the tulip trade, without end");
  assert.ok(RUNNING.includes(started.status), started.status);
  assert.equal((await api.interactions.cancel(started.id)).status, "cancelled");
  assert.equal((await api.interactions.get(started.id)).status, "cancelled");
}

export async function research_plan(api) {
  const plan = await wait(api, (await start(api, QUESTION, { collaborative_planning: true })).id);
  assert.equal(plan.status, "completed");
  assert.ok(plan.output_text);
  const begun = await start(api, "Go ahead.", { collaborative_planning: false }, { previous_interaction_id: plan.id });
  const done = await wait(api, begun.id);
  assert.notEqual(done.id, plan.id);
  assert.equal(done.status, "completed");
  assert.notEqual(done.output_text, plan.output_text);
  checkCitations(done);
}

function start(api, input, config = {}, body = {}) {
  const agent_config = { type: "deep-research", ...config };
  return api.interactions.create({ agent: api.agent, input, background: true, agent_config, ...body });
}

/** Polls until it is no longer running. */
async function wait(api, id) {
  for (;;) {
    const found = await api.interactions.get(id);
    if (!RUNNING.includes(found.status)) return found;
    await sleep(api.patience);
  }
}
