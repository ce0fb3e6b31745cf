// Charts: what is under the pointer or the cursor keys, and a closer look at a stretch of time.
"use strict";

const NAMESPACE = "http://www.w3.org/2000/svg";

// A time in the reader's zone, in the order and with the digits that notices, commands and charts have.
function localTime(date, withSeconds) {
  const two = (number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const seconds = withSeconds ? `:${two(date.getSeconds())}` : "";
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}${seconds}`;
}

const digits = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6 });

// Which times and values the plot shows, and where they lie in the units of the drawing.
function plotOf(svg) {
  const [from, to, left, right, low, high, top, bottom] = svg.dataset.plot.split(" ").map(Number);
  return { from, to, left, right, low, high, top, bottom };
}

function shape(svg, name, attributes) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  svg.append(element);
  return element;
}

class ExplorableChart {
  constructor(figure, svg) {
    this.figure = figure;
    this.svg = svg;
    this.plot = plotOf(svg);
    this.rows = null;
    this.at = null;
    this.begun = null;
    this.readout = document.createElement("output");
    this.readout.className = "readout soft";
    this.readout.textContent = "Point at the chart, or use the arrow keys in it; drag, or press Enter, for a closer look.";
    svg.after(this.readout);
    const { top, bottom } = this.plot;
    this.chosen = shape(svg, "rect", { class: "chosen", y: top, height: bottom - top, width: 0, visibility: "hidden" });
    this.cursor = shape(svg, "line", { class: "cursor", y1: top, y2: bottom, visibility: "hidden" });
    svg.tabIndex = 0;
    svg.addEventListener("pointermove", (event) => this.move(event));
    svg.addEventListener("pointerleave", () => this.leave());
    svg.addEventListener("pointerdown", (event) => this.begin(event));
    svg.addEventListener("pointerup", (event) => this.end(event));
    svg.addEventListener("keydown", (event) => this.key(event));
    svg.addEventListener("blur", () => this.leave());
  }

  // Unix seconds under the pointer.
  timeAt(event) {
    const box = this.svg.getBoundingClientRect();
    const { from, to, left, right } = this.plot;
    const x = (event.clientX - box.left) / box.width * this.svg.viewBox.baseVal.width;
    const share = (x - left) / (right - left);
    return from + Math.max(0, Math.min(1, share)) * (to - from);
  }

  placeOf(time) {
    const { from, to, left, right } = this.plot;
    return left + (time - from) / (to - from) * (right - left);
  }

  // The points, asked for once somebody looks closely.
  async load() {
    if (this.rows !== null) return;
    this.rows = [];
    const { from, to } = this.plot;
    const query = new URLSearchParams({ metric: this.figure.dataset.metric, from: from - 1, until: to + 1, points: 2000, scores: true });
    try {
      const answer = await fetch("/api/v1/series?" + query, { headers: { accept: "application/json" } });
      if (!answer.ok) return;
      const found = await answer.json();
      this.rows = found.judged ? found.judged : found.points;
    } catch {
      return;
    }
    if (this.at !== null) this.show(this.at);
  }

  nearest(time) {
    let low = 0;
    let high = this.rows.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle][0] < time) low = middle + 1;
      else high = middle;
    }
    const before = this.rows[Math.max(0, low - 1)];
    const after = this.rows[low];
    return time - before[0] < after[0] - time ? before : after;
  }

  show(time) {
    this.at = time;
    this.svg.dataset.hovered = "";
    const x = this.placeOf(time);
    this.cursor.setAttribute("x1", x);
    this.cursor.setAttribute("x2", x);
    this.cursor.setAttribute("visibility", "visible");
    if (this.begun !== null) {
      const begun = this.placeOf(this.begun);
      this.chosen.setAttribute("x", Math.min(begun, x));
      this.chosen.setAttribute("width", Math.abs(x - begun));
      this.chosen.setAttribute("visibility", "visible");
    }
    this.load();
    if (!this.rows || this.rows.length === 0) return;
    const [at, value, score, least, most] = this.nearest(time);
    const parts = [localTime(new Date(at * 1000), true) + ": " + (value === null ? "–" : digits.format(value))];
    if (typeof least === "number") parts.push("no alarm from " + digits.format(least) + " to " + digits.format(most));
    if (typeof score === "number") parts.push("score " + score.toFixed(2));
    this.readout.textContent = parts.join(" · ");
  }

  move(event) {
    this.show(this.timeAt(event));
  }

  leave() {
    if (this.begun !== null) return;
    delete this.svg.dataset.hovered;
    this.at = null;
    this.cursor.setAttribute("visibility", "hidden");
  }

  begin(event) {
    if (event.button !== 0) return;
    this.begun = this.timeAt(event);
    this.svg.setPointerCapture(event.pointerId);
  }

  end(event) {
    if (this.begun === null) return;
    const until = this.timeAt(event);
    const begun = this.begun;
    this.begun = null;
    this.chosen.setAttribute("visibility", "hidden");
    // Less is a click that slipped.
    if (Math.abs(until - begun) > (this.plot.to - this.plot.from) / 100) this.zoom(Math.min(begun, until), Math.max(begun, until));
  }

  key(event) {
    const { from, to } = this.plot;
    const step = (to - from) / (event.shiftKey ? 10 : 100);
    const at = this.at === null ? (from + to) / 2 : this.at;
    if (event.key === "ArrowLeft") this.show(Math.max(from, at - step));
    else if (event.key === "ArrowRight") this.show(Math.min(to, at + step));
    else if (event.key === "Home") this.show(from);
    else if (event.key === "End") this.show(to);
    else if (event.key === "Enter") this.zoom(at - (to - from) / 4, at + (to - from) / 4);
    else if (event.key === "Escape") this.leave();
    else return;
    event.preventDefault();
  }

  zoom(from, until) {
    const query = new URLSearchParams({ name: this.figure.dataset.metric, from: Math.floor(from), until: Math.ceil(until) });
    location.href = "/metric?" + query;
  }
}

function explorable(root) {
  for (const figure of root.querySelectorAll("[data-chart]")) {
    const svg = figure.querySelector("svg[data-plot]");
    if (svg) new ExplorableChart(figure, svg);
  }
}
