// The numbers turned: the graph computed anew, forward and backward, and every text written from its template.

const live = film.live, rows = table(IEEE), careful = table(PYTHON);
let V = []; // every number that a text speaks of, by its index

// All numbers from those of the leaves. Throws the engine's sentence where one would not be finite.
function computed(leaves) {
  V = [];
  const given = [...leaves];
  live.nodes.forEach((node, place) => node.row ? forward(node, place) : V[node.data] = given.shift());
  live.steps.forEach((step, i) => {
    const z = made(step);
    if (z === undefined) return;
    if (Number.isFinite(z)) V[i] = z;
    else if (i >= live.passed) V[i] = NaN; // of no step: the width of an arrow, or what a mistake would make
    else throw new RangeError(write(wrongPass(step, i, z)));
  });
  return V;
}

const number = operand => Array.isArray(operand) ? V[operand[0]] : operand;

function forward(node, place) {
  const xs = node.operands.map(number);
  let z = Infinity, problem = "too large";
  try { z = careful[node.row].value(xs); } catch (raised) { problem = raised; }
  if (!Number.isFinite(z)) throw new RangeError(write(live.errors.values[place][problem]));
  V[node.data] = z;
  const { partials } = rows[node.row];
  const slopes = Array.isArray(partials) ? partials.map(partial => partial(xs, z)) : partials(xs, z);
  node.partials.forEach((index, slot) => { if (index !== null) V[index] = slopes[slot]; });
}

// A step of the pass, as Python computed it: an upstream gradient of 0 contributes 0, whatever the local derivative.
function made([sign, x, y]) {
  if (sign === "c") return x;
  if (sign === "+") return V[x] + V[y];
  if (sign === "*") return V[x] ? V[x] * V[y] : V[x];
  if (sign === "abs") return Math.abs(V[x]);
}

function wrongPass([sign, upstream, partial], i, z) {
  const { contributions, sums } = live.errors;
  V[live.errors.upstream] = V[upstream];
  if (sign === "*" && contributions[partial]) {
    const slope = V[partial];
    return contributions[partial][Number.isNaN(slope) ? "undefined" : Number.isFinite(slope) ? "large" : "infinite"];
  }
  V[i] = z;
  return sums[i] ?? "a gradient is too large";
}

// -- texts: a template is a list of texts, numbers' indices, and lists that begin with what they are

const RAISED = { "-": "⁻", ...Object.fromEntries([..."⁰¹²³⁴⁵⁶⁷⁸⁹"].entries()) };
const forms = {
  r: index => pythonText(V[index]),
  f: (...parts) => fenced(joined(parts)), // in parentheses, if it begins with a minus sign
  "^": part => raised(joined(part[0] === "f" ? part.slice(1) : [part]), part),
  "=": (...sides) => sides.map(joined).filter((side, i, all) => i === 0 || side !== all[i - 1]).join(" = "),
  "?": (node, slot, shown, otherwise) => joined(readsRight(live.nodes[node], slot) ? shown : otherwise),
};
const fenced = text => text.startsWith("-") ? `(${text})` : text;
const raised = (text, part) => /^-?\d+$/.test(text) ? [...text].map(c => RAISED[c]).join("") : "**" + joined([part]);
const joined = parts => parts.map(part =>
  typeof part === "string" ? part : typeof part === "number" ? numberText(V[part]) : forms[part[0]](...part.slice(1))).join("");

// A nest of lists and objects with its templates written.
function write(nest) {
  if (Array.isArray(nest)) return nest.map(write);
  if (nest === null || typeof nest !== "object") return nest;
  if (nest.t) return joined(nest.t);
  return Object.fromEntries(Object.entries(nest).map(([key, each]) => [key, write(each)]));
}

// Whether the form that textbooks print has the value of the one to compute with, with all numbers as they are shown.
function readsRight(node, slot) {
  const shown = careful[node.row].shown, xs = node.operands.map(each => Number(numberText(number(each))));
  const z = Number(numberText(V[node.data]));
  if (!shown) return true;
  try {
    const expected = careful[node.row].partials[slot](xs, z), got = shown[slot](xs, z);
    return Math.abs(got - expected) <= 0.05 * Math.abs(expected);
  } catch { return false; }
}

// -- all that the page says about the numbers in V

function says() {
  const all = write(live.says), largest = Math.max(...live.afters.map(index => Math.abs(V[index])));
  for (const life of Object.values(all.nodes)) for (const each of life) each.fill = tint(each.fill, largest);
  const edges = Object.values(all.edges), size = each => Math.abs(each.width) || 0, most = Math.max(...edges.map(size), 0);
  for (const each of edges) each.width = String(Math.round((1 + (most ? 3 * size(each) / most : 0)) * 100) / 100);
  for (const frame of all.frames) {
    frame.rows = [...frame.rows.filter(row => !survives(row, frame)), ...ending(frame)];
    if (frame.ask) frame.ask.wrong = frame.ask.wrong.filter(([, number]) => number !== "nan");
  }
  return all;
}

function tint(grad, largest) {
  const { positive, negative, none, deepest } = film.colours, number = Number(grad);
  if (!number || !largest) return none;
  const full = number > 0 ? positive : negative, share = deepest * Math.sqrt(Math.abs(number) / largest);
  const parts = [1, 3, 5].map(i => Math.round(255 + (parseInt(full.slice(i, i + 2), 16) - 255) * share));
  return "#" + parts.map(part => part.toString(16).padStart(2, "0")).join("");
}

// What a mistake does at a step is said where its numbers differ from those of the chain rule.
const survives = ([label], { unless }) => label === "mistake" && unless.length > 0 && unless.every(([x, y]) => V[x] === V[y]);

function ending({ outcomes }) {
  if (!outcomes.length) return [];
  const wrong = outcomes.filter(([final, right]) => !(Math.abs(final - right) <= 1e-12 * Math.abs(right)));
  if (!wrong.length) return [["mistake", [["all gradients are right all the same", "lost", ""]]]];
  const pieces = wrong.slice(0, film.listed).flatMap(([, , text], i) => [...(i ? [[", ", "", ""]] : []), [text, "lost", ""]]);
  if (wrong.length > film.listed) pieces.push([` and ${wrong.length - film.listed} more`, "", ""]);
  return [["mistake", [["not all gradients are right", "lost", ""]]], ["wrong", pieces]];
}
