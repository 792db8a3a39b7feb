"use strict";
// Shows one step at a time. Every text, number and colour was computed beforehand: nothing is calculated here.

const find = id => document.getElementById(id);
const film = JSON.parse(find("film").textContent);
const steps = [...find("steps").children];
const graph = find("graph"), slider = find("slider"), play = find("play"), said = find("said");
const last = steps.length - 1;
let now = 0, timer = null;

// A life is a list of moments, each with the step since which it holds: the one that holds now.
const moment = life => life.findLast(each => each.since <= now);

function paint(id, { state, texts = {}, fill, title }) {
  const part = find(id);
  if (part.dataset.state !== state) part.dataset.state = state;
  for (const [name, text] of Object.entries(texts)) {
    const line = part.querySelector("." + name);
    if (line && line.textContent !== text) line.textContent = text;
  }
  if (fill) part.querySelector(".box").setAttribute("fill", fill);
  if (title) part.querySelector("title").textContent = title;
}

function show(step) {
  now = Math.min(Math.max(step, 0), last);
  const item = steps[now], text = item.querySelector(".short").textContent;
  document.documentElement.dataset.phase = item.dataset.phase;
  for (const [id, life] of Object.entries(film)) paint(id, moment(life));
  find("step").replaceChildren(...item.querySelector(".detail").cloneNode(true).childNodes);
  document.querySelector("[aria-current]")?.removeAttribute("aria-current");
  item.setAttribute("aria-current", "step");
  slider.value = now;
  slider.setAttribute("aria-valuetext", `step ${now} of ${last}: ${text}`);
  find("place").textContent = `${now} / ${last}`;
  for (const id of ["first", "back"]) find(id).setAttribute("aria-disabled", now === 0);
  for (const id of ["forward", "last"]) find(id).setAttribute("aria-disabled", now === last);
  if (!timer) said.textContent = `${item.querySelector(".what").textContent}: ${text}`; // who listens isn't talked over while it plays
  keepInView(find("list"), item);
  const mark = graph.querySelector("[data-state=current]"); // an edge, if there is one
  if (mark) keepInView(graph, mark);
}

// Scrolls a box, never the page, until what it holds is in its middle.
function keepInView(box, part) {
  const outer = box.getBoundingClientRect(), inner = part.getBoundingClientRect();
  box.scrollBy({
    left: (inner.left + inner.right - outer.left - outer.right) / 2,
    top: (inner.top + inner.bottom - outer.top - outer.bottom) / 2,
    behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth",
  });
}

function stop() {
  clearTimeout(timer);
  timer = null;
  document.documentElement.classList.remove("playing");
  play.setAttribute("aria-label", "play");
}

function go(step) {
  stop();
  show(step);
}

function run() {
  show(now + 1);
  if (now < last) timer = setTimeout(run, find("speed").value);
  else go(last);
}

function toggle() {
  if (timer) return go(now);
  document.documentElement.classList.add("playing");
  play.setAttribute("aria-label", "pause");
  if (now === last) show(0);
  timer = setTimeout(run, find("speed").value);
}

const moves = {
  first: () => go(0),
  back: () => go(now - 1),
  play: toggle,
  forward: () => go(now + 1),
  last: () => go(last),
};
const keys = { ArrowLeft: "back", ArrowRight: "forward", Home: "first", End: "last", " ": "play" };

for (const [id, move] of Object.entries(moves)) find(id).addEventListener("click", move);
slider.addEventListener("input", () => go(slider.valueAsNumber));
find("steps").addEventListener("click", event => {
  const item = event.target.closest("li");
  if (item) go(steps.indexOf(item));
});
document.addEventListener("keydown", event => {
  const move = keys[event.key];
  // The choice of speed has keys of its own, and a button is pressed by the space bar.
  const own = event.target.matches(event.key === " " ? "button, select" : "select");
  if (!move || own || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  moves[move]();
});
// On paper: the final state.
let shown = 0;
addEventListener("beforeprint", () => { shown = now; go(last); });
addEventListener("afterprint", () => go(shown));

document.documentElement.classList.add("js");
for (const part of document.querySelectorAll("[hidden]")) part.hidden = false;
show(0);
