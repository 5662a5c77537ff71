// The timeline: reads the request log once a second and draws each request on a common axis of time.
"use strict";

const POLL_MS = 1000;
const MAX_ROWS = 500;
const element = (id) => document.getElementById(id);
let requests = [];
let selected = null;

function make(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

async function read(path) {
  const response = await fetch(path);
  const body = await response.json();
  if (!response.ok) throw new Error(body.error.message);
  return body;
}

function clock(seconds) {
  return new Date(seconds * 1000).toTimeString().slice(0, 8);
}

function bars(request, first, span) {
  const track = make("div", undefined, "track");
  const bar = track.appendChild(make("div", undefined, "bar"));
  const share = (seconds) => `${(100 * seconds) / span}%`;
  const seconds = request.seconds ?? Math.max(0, Date.now() / 1000 - request.time);
  bar.style.left = share(request.time - first);
  bar.style.width = share(seconds);
  for (const piece of request.pieces.slice(0, 200)) {
    const mark = track.appendChild(make("div", undefined, "mark"));
    mark.style.left = share(request.time - first + piece);
  }
  track.title = `${request.pieces.length} pieces, ${request.answer_bytes} bytes`;
  return track;
}

function drawRequests() {
  const first = Math.min(...requests.map((request) => request.time));
  const last = Math.max(...requests.map((request) => request.time + (request.seconds ?? Date.now() / 1000 - request.time)));
  const rows = requests.slice().reverse().map((request) => {
    const row = make("tr");
    row.tabIndex = 0;
    row.ariaSelected = String(request.number === selected);
    row.append(
      make("td", clock(request.time)),
      make("td", request.kind || request.method),
      make("td", request.interaction_id ?? request.path, "narrow"),
      make("td", request.status ?? "none", request.status === null || request.status >= 400 ? "bad" : ""),
      make("td", request.seconds === null ? "open" : request.seconds.toFixed(3)),
    );
    row.appendChild(make("td")).append(bars(request, first, Math.max(last - first, 0.001)));
    row.onclick = () => show(request.number);
    row.onkeydown = (event) => event.key === "Enter" && show(request.number);
    return row;
  });
  element("requests").tBodies[0].replaceChildren(...rows);
  element("none").hidden = rows.length > 0;
}

function drawInteractions(interactions) {
  const rows = interactions.map((interaction) => {
    const row = make("tr");
    const bad = ["failed", "incomplete", "budget_exceeded"].includes(interaction.status);
    row.append(
      make("td", clock(interaction.created)),
      make("td", interaction.status, bad ? "bad" : ""),
      make("td", interaction.target, "narrow"),
      make("td", `${interaction.steps} (${interaction.events} events)`),
      make("td", interaction.input),
    );
    row.title = interaction.id;
    return row;
  });
  element("interactions").tBodies[0].replaceChildren(...rows);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function show(number) {
  selected = number;
  const request = await read(`/_emulator/timeline/${number}`);
  const facts = make("dl");
  const close = make("button", "Close");
  close.onclick = () => {
    selected = null;
    element("main").className = "";
  };
  const shown = { request: `${request.method} ${request.path}`, status: request.status ?? "no answer", interaction: request.interaction_id, key: request.key, connection: request.connection, bytes: `${request.bytes} sent, ${request.answer_bytes} received` };
  for (const [name, value] of Object.entries(shown)) {
    if (value !== null && value !== undefined) facts.append(make("dt", name), make("dd", value));
  }
  element("details").replaceChildren(close, facts);
  for (const [name, text] of [["Asked", request.body], ["Answered", request.answer]]) {
    if (text) element("details").append(make("h2", name), make("pre", pretty(text)));
  }
  element("main").className = "open";
  drawRequests();
}

async function poll() {
  if (element("live").checked) {
    try {
      const open = requests.findIndex((request) => request.seconds === null);
      const known = open < 0 ? requests : requests.slice(0, open); // read open requests again
      const found = await read(`/_emulator/timeline?after=${known.at(-1)?.number ?? 0}`);
      requests = [...known, ...found.requests].slice(-MAX_ROWS);
      drawRequests();
      drawInteractions(found.interactions);
      element("summary").textContent = `${requests.length} requests, ${found.interactions.length} interactions`;
    } catch (error) {
      element("summary").textContent = `The emulator does not answer: ${error.message}`;
    }
  }
  setTimeout(poll, POLL_MS);
}

element("address").textContent = location.origin;
poll();
