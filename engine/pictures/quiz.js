// Guess first: the product of a step is hidden until it is typed, to three digits at least.

const answered = new Set(), missed = new Set();
let guessing = film.guess;

const question = step => all.frames[step].ask;
const hidden = step => guessing && question(step) && !answered.has(step);
const limit = () => { const open = steps.findIndex((_, step) => hidden(step)); return open < 0 ? last : open; };

// As engine.steps.compare.rounds_to: the true number rounded to the digits given, three at least.
function roundsTo(exact, given) {
  const digits = String(Math.abs(given)).split("e")[0].replace(".", "").replace(/^0+|0+$/g, "").length;
  if (digits > film.digits.most) return Math.abs(given - exact) <= film.digits.tolerance * Math.abs(exact);
  if (exact === 0 || exact === given) return exact === given;
  const exponent = Number(exact.toExponential(16).split("e")[1]);
  const half = 0.5 * Number(`1e${exponent - Math.max(digits, film.digits.fewest) + 1}`);
  return Math.abs(given - exact) <= half * (1 + 1e-9);
}

// What is said to a number: null if it is right, else which mistake it is, if it is one.
function diagnosis({ answer, wrong }, given) {
  if (roundsTo(Number(answer), given)) return null;
  const found = wrong.filter(([, number]) => roundsTo(Number(number), given)).map(([name]) => name);
  if (!found.length) return "Not this number, and no classic mistake has it.";
  return found.slice(0, 3).map(name => `This could be the mistake '${name}': ${film.mistakes[name]}.`).join(" ");
}

const HIDDEN = /^(in numbers|product|value)$/;

// Puts the question in the place of the rows that answer it.
function ask(panel, step, settled = true) {
  const names = [...panel.querySelectorAll("dt")], hints = [];
  for (const name of names.slice(names.findIndex(each => HIDDEN.test(each.textContent)))) {
    hints.push([name, name.nextElementSibling]);
    name.hidden = name.nextElementSibling.hidden = true;
  }
  const form = find("question").content.firstElementChild.cloneNode(true);
  panel.append(form);
  const input = form.querySelector("input"), reply = form.querySelector("output");
  form.querySelector("label span").textContent = names.at(-1).textContent;
  form.addEventListener("submit", event => {
    event.preventDefault();
    const given = Number(input.value.trim().replace(",", ".").replace("−", "-"));
    if (!input.value.trim() || Number.isNaN(given)) return void (reply.textContent = "A number, please, such as -0.633.");
    const wrong = diagnosis(question(step), given);
    input.setAttribute("aria-invalid", wrong !== null);
    if (wrong) { missed.add(step); reply.textContent = wrong; return; }
    answer(step);
  });
  form.querySelector("[type=button]").addEventListener("click", () => {
    missed.add(step);
    if (hints.length > 2) for (const part of hints.shift()) part.hidden = false; // the factors, then the product
    else answer(step);
  });
  if (settled && [document.body, find("forward")].includes(document.activeElement)) input.focus({ preventScroll: true });
}

function answer(step) {
  answered.add(step);
  show(step);
  find("forward").focus();
}

function guessAgain() {
  guessing = !guessing;
  answered.clear();
  missed.clear();
  makeRoom();
  show(now);
}

function showScore() {
  find("guess").setAttribute("aria-pressed", Boolean(guessing));
  if (!guessing) return;
  const right = [...answered].filter(step => !missed.has(step)).length, asked = steps.filter((_, step) => question(step)).length;
  find("step").querySelector(".phase").append(` · ${right} right at once, ${answered.size} of ${asked} done`);
}
