// Shows one step at a time: looks up what holds at it. Texts, numbers and colours are film.says, or written by live.js.

const steps = [...find("steps").children];
const slider = find("slider"), play = find("play"), said = find("said");
const last = steps.length - 1;
let now = 0, timer = null, all = film.says;

// A life is a list of moments, each with the step since which it holds: the one that holds now.
const moment = life => life.findLast(each => each.since <= now);

function paint(id, { state, texts = {}, fill, title, width }) {
  const part = find(`${film.prefix}-${id}`);
  if (part.dataset.state !== state) part.dataset.state = state;
  for (const [name, text] of Object.entries(texts)) {
    const line = part.querySelector("." + name);
    if (line && line.textContent !== text) line.textContent = text;
  }
  if (fill) part.querySelector(".box").setAttribute("fill", fill);
  if (title) part.querySelector("title").textContent = title;
  if (width) part.querySelector(".line").setAttribute("stroke-width", width);
}

function paintGraph() {
  for (const [id, life] of Object.entries(all.nodes)) {
    const { state } = moment(life), before = life.findLast(each => each.since < now) ?? life[0];
    paint(id, hidden(now) ? { ...before, state } : moment(life));
  }
  for (const [id, edge] of Object.entries(all.edges)) paint(id, { ...edge, ...moment(edge.life) });
}

function show(step) {
  now = Math.min(Math.max(step, 0), limit());
  steps.forEach((each, i) => each.querySelector(".short").textContent = hidden(i) ? each.querySelector(".what").textContent : all.frames[i].line);
  const item = steps[now], text = item.querySelector(".short").textContent;
  document.documentElement.dataset.phase = item.dataset.phase;
  paintGraph();
  find("step").replaceChildren(...item.querySelector(".detail").cloneNode(true).childNodes);
  if (hidden(now)) ask(find("step"), now);
  showScore();
  document.querySelector("[aria-current]")?.removeAttribute("aria-current");
  item.setAttribute("aria-current", "step");
  slider.value = now;
  slider.setAttribute("aria-valuetext", `step ${now} of ${last}: ${text}`);
  find("place").textContent = `${now} / ${last}`;
  for (const id of ["first", "back"]) find(id).setAttribute("aria-disabled", now === 0);
  for (const id of ["forward", "last"]) find(id).setAttribute("aria-disabled", now === last);
  if (!timer) said.textContent = `${item.querySelector(".what").textContent}: ${text}`; // who listens isn't talked over while it plays
  keepInView(find("list"), item);
  follow(film.sight[now]);
}

// Scrolls a box, never the page, until what it holds is in its middle.
function keepInView(box, part) {
  const outer = box.getBoundingClientRect(), inner = part.getBoundingClientRect();
  box.scrollBy({ top: (inner.top + inner.bottom - outer.top - outer.bottom) / 2, behavior: still() ? "instant" : "smooth" });
}

// The numbers of the leaves, if they can be turned: a slider and a number box for each, and all follows.
function startTurning() {
  if (!film.live) return;
  const leaves = film.live.nodes.filter(node => !node.row), panel = find("leaves"), boxes = [];
  computed(leaves.map(leaf => leaf.value));
  all = says();
  for (const { name, value } of leaves) {
    const row = panel.appendChild(document.createElement("div")), reach = Math.max(2, Math.ceil(2 * Math.abs(value)));
    row.append(Object.assign(document.createElement("span"), { textContent: name }));
    const [bar, box] = ["range", "number"].map(type => {
      const input = row.appendChild(document.createElement("input"));
      Object.assign(input, { type, step: "any", ariaLabel: type === "range" ? name : `${name}, as a number` });
      return input;
    });
    Object.assign(bar, { min: value - reach, max: value + reach, value });
    box.value = Number(value.toPrecision(4));
    boxes.push({ value, bar, box, number: value });
  }
  const turn = () => turnTo(boxes.map(each => each.number));
  for (const each of boxes) {
    each.bar.addEventListener("input", () => { each.number = each.bar.valueAsNumber; each.box.value = Number(each.number.toPrecision(4)); each.number = each.box.valueAsNumber; turn(); });
    each.box.addEventListener("input", () => { if (Number.isNaN(each.box.valueAsNumber)) return; each.bar.value = each.number = each.box.valueAsNumber; turn(); });
    each.box.addEventListener("change", makeRoom);
    each.bar.addEventListener("change", makeRoom);
  }
  find("reset").addEventListener("click", () => {
    for (const each of boxes) { each.number = each.value; each.bar.value = each.value; each.box.value = Number(each.value.toPrecision(4)); }
    turn();
    makeRoom();
  });
  find("turn").addEventListener("click", () => {
    const open = document.documentElement.classList.toggle("turning");
    find("turn").setAttribute("aria-expanded", open);
  });
  const controls = find("controls");  // in one row or in several: the numbers stand above them
  new ResizeObserver(() => document.documentElement.style.setProperty("--controls", `${controls.offsetHeight}px`)).observe(controls);
  for (const id of ["numbers", "turn"]) find(id).classList.add("live");
  if (film.run) startScrubbing(numbers => boxes.forEach((each, i) => {
    each.bar.value = each.number = numbers[i];
    each.box.value = Number(each.number.toPrecision(4));
  }), turn);
}

// A training run: the error at each epoch as a curve, and the numbers of the epoch that the slider is at.
function startScrubbing(set, turn) {
  const root = film.live.nodes.at(-1).data, kept = V, errors = film.run.map(numbers => computed(numbers)[root]);
  V = kept;
  const [low, high] = [Math.min(...errors), Math.max(...errors)], bar = find("epoch");
  const at = epoch => `${100 * epoch / (errors.length - 1)},${38 - 36 * (errors[epoch] - low) / (high - low || 1)}`;
  bar.max = errors.length - 1;
  find("training").querySelector("polyline").setAttribute("points", errors.map((_, epoch) => at(epoch)).join(" "));
  const scrub = () => {
    const epoch = bar.valueAsNumber;
    set(film.run[epoch]);
    turn();
    find("training").querySelector("path").setAttribute("d", `M${at(epoch)}h0.01`);
    find("epochs").textContent = `epoch ${epoch} of ${errors.length - 1}: E = ${numberText(errors[epoch])}`;
  };
  bar.addEventListener("input", scrub);
  document.documentElement.classList.add("run");
  scrubFirst = scrub;
}
let scrubFirst = null;

// The page with other numbers at the leaves; where these can't be, the engine's sentence, and the last ones that can.
function turnTo(numbers) {
  const kept = V;
  try {
    computed(numbers);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    V = kept;
    find("wrong").textContent = `${error.message}. Shown are the last numbers that can be.`;
    return;
  }
  find("wrong").textContent = "";
  all = says();
  find("heading").textContent = `Backprop through ${all.heading}`;
  drawing.querySelector("desc").textContent = all.description;
  all.frames.forEach((frame, i) => {
    steps[i].querySelector("dl").innerHTML = definitions(frame);
  });
  show(now);
}

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };
const escaped = text => text.replace(/[&<>"']/g, c => ESCAPES[c]);
function definitions({ rows }) {
  const piece = ([text, kind, number]) => number
    ? `<data class="${kind}" value="${number}" title="${number}">${escaped(text)}</data>`
    : kind ? `<span class="${kind}">${escaped(text)}</span>` : escaped(text);
  return rows.map(([label, pieces]) => `<dt>${escaped(label)}</dt><dd>${pieces.map(piece).join("")}</dd>`).join("");
}

// Room for the text of every step, so that the graph above it stays where it is.
function makeRoom() {
  const panel = find("step"), shown = [...panel.childNodes];
  document.documentElement.style.setProperty("--tallest", "0px");
  const heights = steps.map((each, i) => {
    panel.replaceChildren(...each.querySelector(".detail").cloneNode(true).childNodes);
    const height = panel.scrollHeight;
    if (hidden(i)) ask(panel, i, false);
    return Math.max(height, panel.scrollHeight + (hidden(i) ? 48 : 0)); // two lines of reply
  });
  panel.replaceChildren(...shown);
  document.documentElement.style.setProperty("--tallest", `${Math.max(...heights)}px`);
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
  // What is typed in has keys of its own, and a button is pressed by the space bar.
  const own = event.target.matches(event.key === " " ? "button, select" : "select") || event.target.closest("#numbers")
    || event.target.matches("#step input") && (event.target.value || event.key === " ");
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
startTurning();
scrubFirst?.();
find("guess").addEventListener("click", guessAgain);
let broad = 0;
new ResizeObserver(([entry]) => {
  if (entry.contentRect.width !== broad) makeRoom();
  broad = entry.contentRect.width;
}).observe(document.documentElement);
show(0);
