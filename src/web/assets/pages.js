// What makes the pages better than they are without: times in the reader's zone, changes without reloading, a few keys.
"use strict";

// Times come in UTC; they are shown in the reader's zone, with UTC under the pointer.
function localTimes(root) {
  for (const time of root.querySelectorAll("time[data-at]")) {
    const at = new Date(Number(time.dataset.at) * 1000);
    time.dateTime = at.toISOString();
    time.title = time.textContent;
    time.textContent = localTime(at, "seconds" in time.dataset);
  }
}

// A name that was typed once need not be typed again. Storage may be switched off: then it must.
function remembered(root) {
  for (const field of root.querySelectorAll("[data-remember]")) {
    const key = "skywatch." + field.dataset.remember;
    try {
      if (!field.value) field.value = localStorage.getItem(key) || "";
      field.addEventListener("change", () => localStorage.setItem(key, field.value));
    } catch {
      return;
    }
  }
}

function prepare(root) {
  localTimes(root);
  remembered(root);
}

// What measures itself must be in the page by then.
function prepareShown(root) {
  explorable(root);
}

// Whether the reader is in the middle of something that a new page would take away.
function isBusy(main) {
  const active = document.activeElement;
  return main.querySelector("details[open], [data-hovered]") !== null
    || (active !== null && main.contains(active) && ["INPUT", "SELECT"].includes(active.tagName))
    || !document.getSelection().isCollapsed;
}

let waiting = false;

async function refresh() {
  const main = document.querySelector("main[data-live]");
  if (!main || waiting || document.hidden || isBusy(main)) return;
  waiting = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.querySelector("main");
    if (!next || isBusy(main)) return;
    prepare(next);
    const focused = focusedCard();
    main.replaceWith(next);
    prepareShown(next);
    document.title = page.title;
    if (focused >= 0) focusCard(focused);
  } catch {
    // The server is away; the next event, or the next look, asks again.
  } finally {
    waiting = false;
  }
}

// Each change is told by the server. A page that was not shown for a while looks for itself, and each page now and then, so
// that ages it tells stay true.
function live() {
  if (!document.querySelector("main[data-live]")) return;
  const events = new EventSource("/events");
  events.addEventListener("change", refresh);
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, 20000);
}

function cards() {
  return [...document.querySelectorAll(".card, .row")];
}

function focusedCard() {
  return cards().findIndex((card) => card.contains(document.activeElement));
}

function focusCard(place) {
  const all = cards();
  const card = all[Math.max(0, Math.min(place, all.length - 1))];
  if (!card) return;
  const link = card.querySelector("a");
  (link || card).focus();
  card.scrollIntoView({ block: "nearest" });
}

// `/` finds, `j` and `k` go down and up, `a` acknowledges what is in focus.
function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || ["INPUT", "SELECT"].includes(event.target.tagName)) return;
  if (event.key === "/") {
    const field = document.querySelector("[data-find]");
    if (field) field.focus();
    else location.href = "/find";
    event.preventDefault();
  } else if (event.key === "j") {
    focusCard(focusedCard() + 1);
  } else if (event.key === "k") {
    focusCard(focusedCard() - 1);
  } else if (event.key === "a") {
    const card = cards()[focusedCard()];
    const form = card && card.querySelector("form[action$='/acknowledge']");
    if (form) form.requestSubmit();
  }
}

prepare(document);
prepareShown(document);
live();
document.addEventListener("keydown", keys);
