// The arithmetic below the table's rows, as the engine's floats have it, and numbers as text.

const square = x => x * x, cube = x => x * x * x;
const sum = xs => xs.reduce((z, x) => z + x, 0); // from left to right

function softmax(xs) {
  const largest = Math.max(...xs), powers = xs.map(x => Math.exp(x - largest)), whole = sum(powers);
  return powers.map(power => power / whole);
}

// Abramowitz and Stegun, 7.1.6: a series all of whose terms have one sign, so that nothing cancels.
function erf(x) {
  if (Math.abs(x) >= 2.5) return Math.sign(x) * (1 - erfc(Math.abs(x)));
  let term = x, whole = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(whole); n += 1) whole += term *= 2 * x * x / (2 * n + 1);
  return 2 / Math.sqrt(Math.PI) * gauss(x) * whole;
}

// Abramowitz and Stegun, 7.1.14: a continued fraction, computed from its end; below 1 the series is exact enough.
function erfc(x) {
  if (x < 1) return 1 - erf(x);
  let below = x;
  for (let n = x < 2 ? 300 : 80; n > 0; n -= 1) below = x + n / 2 / below;
  return gauss(x) / Math.sqrt(Math.PI) / below;
}

// exp(-x**2), with the square split, for its rounding would count x**2 times.
function gauss(x) {
  const near = Math.round(x * 16) / 16;
  return Math.exp(-near * near) * Math.exp(-(x - near) * (x + near));
}

const first = xs => xs[0], rest = xs => xs.slice(1), max = xs => Math.max(...xs), divide = (x, y) => x / y;

// The remainder with the sign of the divisor, as Python has it.
function mod(x, y) {
  const r = x % y;
  if (r === 0) return y < 0 ? -0 : 0;
  return (r < 0) === (y < 0) ? r : r + y;
}

const ofMath = ["abs", "floor", "exp", "expm1", "log", "log2", "log10", "log1p", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh",
  "cosh", "tanh", "asinh", "acosh", "atanh", "pow", "hypot"]
  .map(name => [name, Math[name]]);
const IEEE = Object.fromEntries([...ofMath, ...Object.entries({ mod, erf, erfc, square, cube, sum, softmax, first, rest, max, divide })]);

// Where Python raises: at what is undefined and at poles, and, with another error, at what is too large.
const UNDEFINED = "not defined", LARGE = "too large";
const poles = { log: () => true, log2: () => true, log10: () => true, log1p: () => true, atanh: () => true, divide: (x, y) => y === 0, pow: x => x === 0 };
const raising = (name, computed) => (...operands) => {
  const z = computed(...operands);
  if (Number.isFinite(z)) return z;
  if (Number.isNaN(z) || poles[name]?.(...operands)) throw UNDEFINED;
  if (name === "divide") return z; // as products do, quotients overflow quietly
  throw LARGE;
};
const PYTHON = { ...IEEE };
for (const name of [...ofMath.map(([name]) => name), "divide", "mod"]) PYTHON[name] = raising(name, IEEE[name]);

// A number with four digits, as engine.text.names.number_text writes it; of a tie the even one, as Python does.
function numberText(x) {
  if (!Number.isFinite(x)) return pythonText(x);
  if (Math.abs(x) < 1e6 && Number.isInteger(x)) return String(x + 0);
  let [digits, exponent] = x.toExponential(3).split("e");
  const [exact] = Math.abs(x).toExponential(40).split("e"), kept = exact.slice(0, 5);
  if (/^50*$/.test(exact.slice(5)) && kept.at(-1) % 2 === 0) digits = (x < 0 ? "-" : "") + kept;
  exponent = Number(exponent);
  if (exponent < -4 || exponent >= 4) return trimmed(digits) + powerOfTen(exponent);
  return trimmed(Number(digits + "e" + exponent).toFixed(3 - exponent));
}
const trimmed = text => text.includes(".") ? text.replace(/\.?0+$/, "") : text;
const powerOfTen = exponent => `e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;

// A number as Python's repr writes it: the fewest digits that tell it from all others.
function pythonText(x) {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf";
  if (x === 0) return Object.is(x, -0) ? "-0.0" : "0.0";
  const [digits, exponent] = x.toExponential().split("e");
  if (exponent < -4 || exponent >= 16) return digits + powerOfTen(Number(exponent));
  const text = String(x);
  return text.includes(".") ? text : text + ".0";
}
