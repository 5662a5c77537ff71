// The AI SDK with @ai-sdk/google: generateText over generateContent, and a tool loop over the Interactions API.

import assert from "node:assert/strict";
import { createGoogle } from "@ai-sdk/google";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { play } from "../played.mjs";

const google = createGoogle({ apiKey: "any", baseURL: `${process.env.EMULATOR}/v1beta` });
const MODEL = "gemini-3.8-flash";
const tools = {
  get_weather: tool({
    description: "Gets the weather of a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => ({ sky: `sunny in ${city}` }),
  }),
};

async function text(model) {
  const answer = await generateText({ model, prompt: "Say a greeting", maxRetries: 0 });
  assert.match(answer.text, /welcome/);
}

async function stream(model) {
  let text = "";
  for await (const piece of streamText({ model, prompt: "Say a greeting", maxRetries: 0 }).textStream) text += piece;
  assert.match(text, /welcome/);
}

async function toolLoop(model) {
  const prompt = "How is the weather in Rome?";
  const answer = await generateText({ model, prompt, tools, stopWhen: stepCountIs(3), maxRetries: 0 });
  assert.match(answer.text, /sunny/);
  assert.equal(answer.steps.length, 2);
}

async function structuredOutput(model) {
  const schema = z.object({ name: z.string(), age: z.number() });
  const answer = await generateObject({ model, prompt: "Describe a person", schema, maxRetries: 0 });
  assert.deepEqual(answer.object, { name: "Ada", age: 36 });
}

async function deepResearch() {
  const model = google.interactions({ agent: "deep-research-preview-04-2026" });
  const providerOptions = { google: { background: true, pollingTimeoutMs: 60_000 } };
  const answer = await generateText({ model, prompt: "What is a context manager in Python?", providerOptions, maxRetries: 0 });
  assert.ok(answer.text.length > 500);
}

const flows = {};
for (const [api, model] of Object.entries({ generate: google(MODEL), interactions: google.interactions(MODEL) })) {
  flows[`${api}_text`] = () => text(model);
  flows[`${api}_stream`] = () => stream(model);
  flows[`${api}_tool_loop`] = () => toolLoop(model);
  flows[`${api}_structured_output`] = () => structuredOutput(model);
}
await play({ ...flows, deep_research: deepResearch });
