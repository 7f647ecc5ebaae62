// Reads pictures in a worker, so that the page stays alive. The rules are in the graphs, see training/export/normal_form.py; this file
// runs one after the other.
import * as ort from "./ort.wasm.min.mjs";

ort.env.wasm.numThreads = 1; // more need headers that plain hosts do not send
ort.env.wasm.wasmPaths = new URL("./", import.meta.url).href;

const sessions = new Map();
const recognisers = fetch("recognisers.json").then((answer) => answer.json());

// Packed, as not every host packs what it sends
const runtime = fetch("runtime.wasm.gzip")
  .then((answer) => new Response(answer.body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer())
  .then((binary) => (ort.env.wasm.wasmBinary = binary));

// The session of a file, loaded once
function session(file) {
  if (!sessions.has(file)) sessions.set(file, runtime.then(() => ort.InferenceSession.create(file)));
  return sessions.get(file);
}

async function run(file, inputs) {
  return (await session(file)).run(inputs);
}

const number = (value) => new ort.Tensor("float32", [value], []);

// The ink of a picture, as `begin` or the looks of the ink network find it
async function findInk(pixels, sizes, names) {
  const { picture_px: side, read, look, blank } = names;
  const size = new ort.Tensor("float32", sizes, [2]);
  const begun = await run("begin.onnx", { rgba: new ort.Tensor("uint8", pixels, [side, side, 4]), size });
  let status = begun.status.data[0];
  let found = status === read ? begun : null;
  let { window } = begun;
  let isLast = number(0);
  for (let looks = 0, again = status === look; again; looks += 1) {
    const viewPx = looks === 0 && window.data[2] > names.wide_px ? names.wide_view_px : names.view_px;
    const view = await run(`look-${viewPx}.onnx`, { grey: begun.grey, outside: begun.outside, window, size });
    const seen = await run("ink.onnx", { views: view.views });
    const before = { size, looks: number(looks), was_last: isLast };
    const next = await run(`decide-${viewPx}.onnx`, { seen: seen.ink, window, ...before });
    if (next.is_found.data[0]) found = next;
    again = next.again.data[0] > 0;
    ({ next_window: window, is_last: isLast } = next);
  }
  if (status === look) status = found ? read : blank;
  return { status, found, size };
}

async function read({ pixels, size: sizes, model }) {
  const began = performance.now();
  const { names, recognisers: known } = await recognisers;
  const recogniser = known[model];
  const { status, found, size } = await findInk(pixels, sizes, names);
  if (status !== names.read) return { status: "blank" };
  const { ink, ink_size: inkSize, per_px: perPx } = found;
  const framed = await run(`frame-${recogniser.normal_form}.onnx`, { ink, ink_size: inkSize, per_px: perPx, size });
  if (framed.status.data[0] === names.speck) return { status: "speck" };
  if (framed.status.data[0] === names.blank) return { status: "blank" };
  const { probabilities } = await run(recogniser.file, { frames: framed.frame });
  const top = [...probabilities.data]
    .map((confidence, at) => ({ label: recogniser.labels[at], confidence }))
    .sort((one, other) => other.confidence - one.confidence)
    .slice(0, 3);
  return { status: "read", top, frame: framed.frame.data, ms: performance.now() - began };
}

// One picture after the other: a session takes one run at a time
let before = Promise.resolve();
self.onmessage = ({ data }) => {
  before = before
    .then(() => read(data))
    .catch((fault) => ({ status: "fault", message: String(fault?.message ?? fault) }))
    .then((answer) => self.postMessage({ id: data.id, ...answer }));
};
