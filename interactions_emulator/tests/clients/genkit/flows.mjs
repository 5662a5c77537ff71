// genkit with its Google plugin: text, stream, tool and structured output over generateContent, and Deep Research.

import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { googleAI } from "@genkit-ai/google-genai";
import { genkit, z } from "genkit";
import { play } from "../played.mjs";

const ai = genkit({ plugins: [googleAI({ apiKey: "any", baseUrl: process.env.EMULATOR })] });
const model = googleAI.model("gemini-3.8-flash");
const getWeather = ai.defineTool(
  { name: "get_weather", description: "Gets the weather of a city.", inputSchema: z.object({ city: z.string() }), outputSchema: z.string() },
  async ({ city }) => `sunny in ${city}`,
);

await play({
  async text() {
    assert.match((await ai.generate({ model, prompt: "Say a greeting" })).text, /welcome/);
  },
  async stream() {
    const { stream, response } = ai.generateStream({ model, prompt: "Say a greeting" });
    let pieces = "";
    for await (const piece of stream) pieces += piece.text;
    assert.match(pieces, /welcome/);
    assert.match((await response).text, /welcome/);
  },
  async tool_loop() {
    const answer = await ai.generate({ model, prompt: "How is the weather in Rome?", tools: [getWeather] });
    assert.match(answer.text, /sunny/);
  },
  async structured_output() {
    const schema = z.object({ name: z.string(), age: z.number() });
    const answer = await ai.generate({ model, prompt: "Describe a person", output: { schema } });
    assert.deepEqual(answer.output, { name: "Ada", age: 36 });
  },
  async deep_research() {
    const { operation } = await ai.generate({
      model: googleAI.model("deep-research-preview-04-2026"),
      prompt: "What is a context manager in Python?",
    });
    let current = operation;
    for (let checks = 0; !current.done && checks < 600; checks += 1) {
      await setTimeout(100);
      current = await ai.checkOperation(current);
    }
    assert.ok(current.done && current.output);
  },
});
process.exit(0);
