"use strict";

// A form is sent once, even if its button is pressed twice.
for (const form of document.querySelectorAll("form")) {
  const button = form.querySelector("button");
  const text = button.textContent;
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    button.textContent = button.dataset.busy;
  });
  window.addEventListener("pageshow", () => {
    delete form.dataset.sent;
    button.textContent = text;
  });
}

// The progress of a run. The browser connects again by itself, and names the last line that it has.
// When the run has ended, the page is loaded again, and a screen reader begins at its heading.
const progress = document.querySelector("[data-events]");
if (location.hash === "#top") document.getElementById("top")?.focus();
if (progress) {
  const again = () => {
    location.hash = "top";
    location.reload();
  };
  const events = new EventSource(progress.dataset.events);
  events.addEventListener("reset", () => progress.replaceChildren());
  events.addEventListener("line", (event) => {
    const line = document.createElement("li");
    line.dir = "auto";
    line.textContent = JSON.parse(event.data);
    progress.append(line);
  });
  events.addEventListener("state", (event) => {
    const shown = document.getElementById("state"), text = JSON.parse(event.data);
    if (shown.textContent !== text) shown.textContent = text;
  });
  events.addEventListener("end", again);
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) setTimeout(again, 15000);
  });
}

// The list, while a run is under way.
const runs = document.querySelector("[data-refresh]");
if (runs) {
  setInterval(async () => {
    if (document.hidden || runs.contains(document.activeElement)) return;
    const answer = await fetch(location.href).catch(() => null);
    if (!answer?.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.getElementById("runs");
    if (found) runs.replaceChildren(...found.childNodes);
  }, 1000 * runs.dataset.refresh);
}

const link = document.querySelector("[data-copy]");
if (link && navigator.clipboard) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy the link";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(link.value);
    button.textContent = "Copied";
  });
  link.after(button);
}
