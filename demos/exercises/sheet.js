"use strict";
// Compares what is filled in with numbers that were computed beforehand; nothing is calculated here.

const { labels, truths, mistakes } = JSON.parse(document.getElementById("data").textContent);
const boxes = truths.map((_, i) => document.getElementById(`box${i}`));
const said = document.getElementById("said");

// A number, also with a decimal comma or a true minus sign; NaN for what is none.
function read(text) {
  const plain = text.trim().replace(",", ".").replace("\u2212", "-");
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
}

// Right to three significant digits.
function same(x, y) {
  const unit = y === 0 ? 1e-9 : 0.5001 * 10 ** (Math.floor(Math.log10(Math.abs(y))) - 2);
  return Math.abs(x - y) <= unit;
}

function check() {
  const texts = boxes.map(box => box.value.trim()), numbers = texts.map(read);
  const off = numbers.map((x, i) => texts[i] !== "" && !same(x, truths[i]));
  boxes.forEach((box, i) => { box.className = texts[i] === "" ? "" : off[i] ? "off" : "right"; });
  const open = texts.filter(text => text === "").length, first = off.indexOf(true);
  if (open === texts.length) return "Nothing is filled in yet.";
  if (first === -1) return open ? `What is there is right; ${open} to go.` : "All right.";
  if (Number.isNaN(numbers[first])) return `${labels[first]}: ${texts[first].slice(0, 20)} is no number.`;
  // A mistake is named only if all the numbers are there, and are its numbers.
  const made = open ? undefined : mistakes.find(mistake => mistake.numbers.every((y, i) => same(numbers[i], y)));
  if (made) return `${made.says} (${made.id})`;
  const before = first > 0 ? `All is right down to ${labels[first - 1]}; ` : "";
  return `${before}${labels[first]} is the first that is off.`;
}

document.getElementById("sheet").addEventListener("submit", event => {
  event.preventDefault();
  said.textContent = check();
});
document.getElementById("key").addEventListener("click", () => {
  boxes.forEach((box, i) => { box.value = String(Number(truths[i].toPrecision(4))); });
  said.textContent = "The key. Another sheet has other numbers.";
});
