// The part of the graph in sight: it follows the steps, and is zoomed and moved by buttons, keys, wheel, and fingers.

const find = id => document.getElementById(id), film = JSON.parse(find("film").textContent);
const graph = find("graph"), drawing = graph.querySelector("svg"), overview = find("overview");
const whole = (([x, y, width, height]) => ({ x, y, width, height }))(drawing.getAttribute("viewBox").split(" ").map(Number));
const LARGEST = 4, HOME = 1.5, MARGIN = 10, MAP = 130;
const framed = self !== top; // a notebook scrolls by the wheel, and so the wheel zooms with Ctrl only
let view = { x: whole.x, y: whole.y, scale: 1 }, wish = null, watched = [], moving = 0;

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const room = () => ({ width: graph.clientWidth, height: graph.clientHeight });
const fit = () => Math.min(room().width / whole.width, room().height / whole.height);
const least = () => Math.min(fit(), 0.3);
// As large as the panel allows, but neither too small to be read nor needlessly large; a tall graph as broad as the panel.
function home() {
  const readable = Number(getComputedStyle(graph).getPropertyValue("--least"));
  return Math.min(HOME, Math.max(fit(), Math.min(1, room().width / whole.width), readable));
}

function union(boxes) {
  const x = Math.min(...boxes.map(each => each.x)), y = Math.min(...boxes.map(each => each.y));
  const right = Math.max(...boxes.map(each => each.x + each.width)), below = Math.max(...boxes.map(each => each.y + each.height));
  return { x: x - MARGIN, y: y - MARGIN, width: right - x + 2 * MARGIN, height: below - y + 2 * MARGIN };
}

// Where a side of the view begins: where it did, if the part is inside; a graph that fits stands in the middle.
function begins(start, length, from, size, first, extent) {
  if (extent <= length) return first + (extent - length) / 2;
  if (from < start || from + size > start + length) start = from + (size - length) / 2;
  const [low, high] = [Math.min(first, from), Math.max(first + extent, from + size) - length];
  return Math.min(Math.max(start, low), high);
}

// Moves until all these parts are in sight, and becomes smaller where they need it.
function follow(ids = watched, instantly = still()) {
  watched = ids;
  const { width, height } = room();
  if (!width || !height) return;
  const part = ids.length ? union(ids.map(id => find(id).getBBox())) : whole;
  const scale = ids.length || wish ? Math.min(wish ?? home(), width / part.width, height / part.height) : home();
  const middle = [view.x + width / view.scale / 2, view.y + height / view.scale / 2];
  const x = begins(middle[0] - width / scale / 2, width / scale, part.x, part.width, whole.x, whole.width);
  const y = begins(middle[1] - height / scale / 2, height / scale, part.y, part.height, whole.y, whole.height);
  look({ x, y, scale }, instantly);
}

function look(to, instantly = true) {
  cancelAnimationFrame(moving);
  const from = view, start = performance.now();
  const frame = now => {
    const share = instantly ? 1 : Math.min((now - start) / 300, 1), eased = share * (2 - share);
    const between = name => (share === 1 ? to[name] : from[name] + (to[name] - from[name]) * eased);
    view = { x: between("x"), y: between("y"), scale: between("scale") };
    paintView();
    if (share < 1) moving = requestAnimationFrame(frame);
  };
  frame(start);
}

function paintView() {
  const width = room().width / view.scale, height = room().height / view.scale;
  drawing.setAttribute("viewBox", [view.x, view.y, width, height].join(" "));
  const all = view.x <= whole.x + 1 && view.y <= whole.y + 1 &&
    view.x + width >= whole.x + whole.width - 1 && view.y + height >= whole.y + whole.height - 1;
  const corner = all ? null : freeCorner();
  overview.style.display = corner ? "" : "none"; // in SVG, hidden hides nothing
  if (!corner) return;
  Object.assign(overview.style, { left: corner.x + "px", top: corner.y + "px" });
  const frame = overview.querySelector(".frame");
  for (const [name, value] of Object.entries({ x: view.x, y: view.y, width, height })) frame.setAttribute(name, value);
}

// A corner of the panel for the overview in which it hides nothing of the step.
function freeCorner() {
  const { width, height } = room(), [across, down] = [overview.width.baseVal.value, overview.height.baseVal.value];
  if (across > width / 2 || down > height / 1.5) return null;
  const parts = watched.map(id => find(id).getBBox()).map(box => ({
    x: (box.x - view.x) * view.scale, y: (box.y - view.y) * view.scale, width: box.width * view.scale, height: box.height * view.scale }));
  const corners = [height - down - 8, 8].flatMap(y => [width - across - 8, 8].map(x => ({ x, y })));
  const free = ({ x, y }) => parts.every(part =>
    part.x > x + across + 4 || part.x + part.width < x - 4 || part.y > y + down + 4 || part.y + part.height < y - 4);
  return corners.find(free) ?? null;
}

// Larger or smaller, around a point of the panel, its middle if none is given.
function zoom(factor, at = [room().width / 2, room().height / 2]) {
  const scale = Math.min(Math.max(view.scale * factor, least()), LARGEST);
  const [x, y] = at.map((place, i) => view["xy"[i]] + place / view.scale - place / scale);
  wish = scale;
  look({ x, y, scale });
}

function fitAll() {
  wish = fit();
  look({ x: whole.x + (whole.width - room().width / wish) / 2, y: whole.y + (whole.height - room().height / wish) / 2, scale: wish }, still());
}

const pan = (x, y) => look({ x: view.x - x / view.scale, y: view.y - y / view.scale, scale: view.scale });
const views = { in: () => zoom(1.25), out: () => zoom(0.8), fit: fitAll };
const viewKeys = { "+": "in", "=": "in", "-": "out", 0: "fit" };
const pans = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
const place = event => [event.clientX - graph.getBoundingClientRect().left, event.clientY - graph.getBoundingClientRect().top];

for (const [id, action] of Object.entries(views)) find(`zoom-${id}`).addEventListener("click", action);
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("select, input:not([type=range])")) return;
  if (viewKeys[event.key]) views[viewKeys[event.key]]();
  else if (event.shiftKey && pans[event.key]) pan(...pans[event.key]);
  else return;
  event.preventDefault();
});
graph.addEventListener("wheel", event => {
  if (framed && !event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  if (event.shiftKey) pan(-event.deltaX - event.deltaY, 0);
  else zoom(Math.exp(-event.deltaY / (event.ctrlKey ? 150 : 400)), place(event));
}, { passive: false });

// One finger, or the mouse, moves the graph; two zoom it.
const fingers = new Map();
const centre = () => [0, 1].map(i => [...fingers.values()].reduce((sum, each) => sum + each[i], 0) / fingers.size);
const spread = () => { const [a, b] = fingers.values(); return Math.max(Math.hypot(a[0] - b[0], a[1] - b[1]), 1); };
graph.addEventListener("pointerdown", event => {
  if (event.target.closest("#overview")) return;
  fingers.set(event.pointerId, place(event));
  graph.setPointerCapture(event.pointerId);
});
graph.addEventListener("pointermove", event => {
  if (!fingers.has(event.pointerId)) return;
  const before = centre(), apart = fingers.size === 2 ? spread() : 0;
  fingers.set(event.pointerId, place(event));
  const after = centre();
  pan(after[0] - before[0], after[1] - before[1]);
  if (apart) zoom(spread() / apart, after);
});
for (const end of ["pointerup", "pointercancel"]) graph.addEventListener(end, event => fingers.delete(event.pointerId));

// The overview: every box of the graph, small, and a frame around what is in sight.
function drawOverview() {
  const scale = Math.min(MAP / whole.width, MAP / whole.height);
  overview.setAttribute("viewBox", drawing.getAttribute("viewBox"));
  overview.setAttribute("width", whole.width * scale);
  overview.setAttribute("height", whole.height * scale);
  const rectangle = (kind, box) => {
    const drawn = document.createElementNS(drawing.namespaceURI, "rect");
    for (const name of ["x", "y", "width", "height"]) drawn.setAttribute(name, box[name]);
    drawn.setAttribute("class", kind);
    overview.append(drawn);
  };
  for (const box of drawing.querySelectorAll(".box")) rectangle("small", box.getBBox());
  rectangle("frame", whole);
}
function jump(event) {
  if (!event.buttons) return;
  const box = overview.getBoundingClientRect(), { width, height } = room();
  const x = whole.x + (event.clientX - box.left) / box.width * whole.width - width / view.scale / 2;
  const y = whole.y + (event.clientY - box.top) / box.height * whole.height - height / view.scale / 2;
  look({ x, y, scale: view.scale });
}
for (const kind of ["pointerdown", "pointermove"]) overview.addEventListener(kind, jump);

new ResizeObserver(() => follow(watched, true)).observe(graph);
addEventListener("beforeprint", () => drawing.setAttribute("viewBox", Object.values(whole).join(" ")));
addEventListener("afterprint", () => follow(watched, true));
drawOverview();
