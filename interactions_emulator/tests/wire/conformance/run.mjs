/* Plays the flows of flows.json with an installed @google/genai and prints a line of JSON for each.

   node run.mjs genai-3 http://127.0.0.1:8765            against a local server
   node run.mjs genai-3 --live [--model M] [--research]  against the real one, with the key in GEMINI_API_KEY

   genai-2 and genai-3 are the names under which package.json installs the client. Lines and exit status are those of
   run.py. */

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import * as answers from "./answers.mjs";
import { Api } from "./api.mjs";
import * as research from "./research.mjs";
import * as service from "./service.mjs";

const FLOWS = JSON.parse(readFileSync(new URL("flows.json", import.meta.url), "utf8"));

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      live: { type: "boolean", default: false },
      research: { type: "boolean", default: false },
      model: { type: "string", default: "gemini-3.8-flash" },
      agent: { type: "string", default: "deep-research-preview-04-2026" },
    },
  });
  const [name, baseUrl] = positionals;
  if (!name) throw new Error("say which client: genai-2 or genai-3");
  if (values.live === Boolean(baseUrl)) throw new Error("give the address of a local server, or --live");
  const key = values.live ? process.env.GEMINI_API_KEY : "any";
  if (!key) throw new Error("--live needs a key: set GEMINI_API_KEY");
  return { ...values, name, baseUrl, key };
}

/** Why a flow is not played, "" if it is. */
function whyNot(flow, { live, research }) {
  if ((flow.only ?? "js") !== "js") return `is for ${flow.only} only`;
  if (live && flow.live === "never") return flow.why;
  if (live && flow.live === "research" && !research) return "asks an agent: say --research to play it";
  return "";
}

/** What playing flows on the real service will take. */
function estimate(flows, given) {
  const requests = flows.reduce((sum, flow) => sum + flow.requests, 0);
  const researches = flows.reduce((sum, flow) => sum + (flow.researches ?? 0), 0);
  const text = `${given.name}: about ${requests} small requests, most to ${given.model}: some cents at most`;
  return text + (researches ? `; and ${researches} researches of 1 to 7 dollars and up to an hour each` : "");
}

/** Plays a flow and returns its line. */
async function play(name, api, reason) {
  if (reason) return { flow: name, ok: true, skipped: reason, ms: 0 };
  const began = performance.now();
  let outcome = { ok: true };
  try {
    await { ...answers, ...research, ...service }[name](api);
  } catch (error) {
    const here = (error.stack ?? "").split("\n").find((line) => /\.mjs:\d+/.test(line) && !line.includes("node_modules"));
    outcome = { ok: false, error: `${error.name}: ${error.message} [${basename(here ?? "?").replace(/\)$/, "")}]` };
  }
  return { flow: name, ...outcome, ms: Math.round(performance.now() - began) };
}

let given;
try {
  given = readArguments();
} catch (error) {
  console.error(`run.mjs: ${error.message}`);
  process.exit(2);
}
const { GoogleGenAI } = await import(given.name);
if (given.live) console.error(estimate(FLOWS.filter((flow) => !whyNot(flow, given)), given));
const api = new Api(GoogleGenAI, given);
for (const flow of FLOWS) {
  const line = await play(flow.flow, api, whyNot(flow, given));
  if (!line.ok) process.exitCode = 1;
  console.log(given.live ? JSON.stringify(line).replaceAll(given.key, "***") : JSON.stringify(line));
}
