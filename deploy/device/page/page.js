// The page: a canvas and pictures in, the worker's answers out.
import { Drawing } from "./drawing.js";
import { pixelsOf } from "./pixels.js";

const OFTEN = 50; // readings of one measurement
const KEPT = 200; // latest times, of which p50 and p95 are
const FAULTS = {
  blank: "There is no writing in this picture.",
  speck: "The only writing is a speck. Write larger, or crop closer.",
};
const at = (id) => document.getElementById(id);
const worker = new Worker("reader.js", { type: "module" });
const waiting = new Map();
const times = [];
let last = null; // the picture that is shown
let asked = 0;
let shown = 0;

const { names, recognisers } = await fetch("recognisers.json").then((answer) => answer.json());
const drawing = new Drawing(at("drawing"), () => show(drawing.isEmpty ? null : pixelsOf(drawing.canvas, names.picture_px)));

worker.onmessage = ({ data }) => {
  waiting.get(data.id)?.(data);
  waiting.delete(data.id);
};

function read(picture) {
  asked += 1;
  const id = asked;
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    worker.postMessage({ id, ...picture, model: at("model").value });
  });
}

async function show(picture) {
  last = picture;
  const number = (shown += 1);
  if (picture === null) {
    note(`Draw a character, or choose a picture. ${at("model").value} reads ${recognisers[at("model").value].reads}.`);
    return;
  }
  const began = performance.now();
  const answer = await read(picture);
  if (number !== shown) return; // another picture came in the meantime
  if (answer.status !== "read") {
    note(FAULTS[answer.status] ?? `It cannot be read: ${answer.message}`, true);
    return;
  }
  at("note").hidden = true;
  at("read").hidden = at("times").hidden = at("measure").hidden = false;
  at("label").textContent = answer.top[0].label;
  at("confidence").textContent = `${percent(answer.top[0].confidence)} sure`;
  at("top").replaceChildren(...answer.top.map(row));
  paint(answer.frame);
  count(performance.now() - began);
}

function row({ label, confidence }) {
  const line = document.createElement("li");
  const [name, bar, share] = ["b", "meter", "span"].map((tag) => line.appendChild(document.createElement(tag)));
  name.textContent = label;
  bar.value = confidence;
  bar.ariaLabel = `Confidence of ${label}`;
  share.textContent = percent(confidence);
  return line;
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const inMs = (ms) => `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;

function paint(frame) {
  const picture = new ImageData(28, 28);
  frame.forEach((ink, place) => picture.data.set([255 * ink, 255 * ink, 255 * ink, 255], 4 * place));
  at("frame").getContext("2d").putImageData(picture, 0, 0);
}

function note(text, isFault = false) {
  at("note").textContent = text;
  at("note").classList.toggle("fault", isFault);
  at("note").hidden = false;
  at("read").hidden = true;
}

function count(ms) {
  times.push(ms);
  times.splice(0, times.length - KEPT);
  at("last").textContent = inMs(ms);
  const ordered = [...times].sort((one, other) => one - other);
  for (const share of [50, 95]) at(`p${share}`).textContent = inMs(ordered[Math.ceil((share / 100) * ordered.length) - 1]);
  at("measured").textContent = `From the picture to its answer, on this device; of the last ${ordered.length}.`;
}

at("measure").addEventListener("click", async () => {
  at("measure").disabled = true;
  times.length = 0; // the first ones load and compile
  for (let done = 0; done < OFTEN && last; done += 1) {
    at("measure").textContent = `${done} of ${OFTEN} ...`;
    await show(last);
  }
  at("measure").textContent = "Measure this device";
  at("measure").disabled = false;
});

async function take(file) {
  if (!file) return;
  drawing.clear();
  try {
    const picture = await createImageBitmap(file); // turned as its camera says
    drawing.showPicture(picture);
    await show(pixelsOf(picture, names.picture_px));
  } catch {
    note(`${file.name || "This"} is not a picture that this browser can read.`, true);
  }
}

at("photo").addEventListener("change", ({ target }) => {
  take(target.files[0]);
  target.value = ""; // the same file may be chosen again
});
addEventListener("paste", ({ clipboardData }) => take([...clipboardData.files][0]));
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  take(event.dataTransfer.files[0]);
});
at("model").append(
  ...Object.entries(recognisers).map(([name, { reads }]) => new Option(`${name}: ${reads}`, name)),
);
at("model").addEventListener("change", () => show(last));
for (const name of ["undo", "redo", "clear"]) at(name).addEventListener("click", () => drawing[name]());
drawing.onHistory = () => {
  at("undo").disabled = !drawing.canUndo;
  at("redo").disabled = !drawing.canRedo;
  at("clear").disabled = drawing.isEmpty;
};
show(null);
if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("offline.js");
  navigator.serviceWorker.ready.then(() => (at("offline").textContent = "It works without a network from now on."));
}
