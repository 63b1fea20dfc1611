// The page: takes a file, asks the model, says what came of it. Nothing is fetched, nothing is kept.

import { prepared } from "../pixels.js";
import { drawColours, drawMap, drawPicture } from "./drawing.js";
import { openNetwork, sigmoid } from "./network.js";
import { readPicture } from "./picture.js";
import { Refused, refuse } from "./refused.js";

const MOST_BYTES = 512 * 1024 * 1024;
const RADIOGRAPHS = ["CR", "DX", "RG"];
const MARKS = { positive: "M12 3v18M3 12h18", negative: "M3 12h18" };

const $ = (id) => document.getElementById(id);
const { record, model, labels, files } = globalThis.casegateReader ?? {};
// What it looks for, where the labels have more to say than positive.
const finding = labels && labels[1].toLowerCase() !== "positive" ? labels[1] : "";
let asked = 0; // files so far: an answer that comes late is not shown for a later file

// In the live region; with `heard`, for a screen reader alone, as the page shows it elsewhere.
function say(words, heard = false) {
  $("status").textContent = words;
  $("status").classList.toggle("heard", heard);
}

function complain(why) {
  $("alarm").textContent = why;
  $("alarm").hidden = false;
}

// One line on what a person gave, without a stack.
function reason(error) {
  const why = error instanceof Error ? error.message : String(error);
  return why.split("\n")[0].slice(0, 300);
}

async function read(ask, given) {
  const mine = ++asked;
  $("result").hidden = true; // what was said of another file is not left beside this one's name
  $("alarm").hidden = true;
  const name = given.length === 1 ? given[0].name : `${given.length} files`;
  say(`Reading ${name}.`);
  try {
    if (given.length !== 1) refuse("wanted one at a time");
    if (given[0].size > MOST_BYTES) refuse("larger than 512 MiB");
    const bytes = new Uint8Array(await given[0].arrayBuffer());
    const picture = await readPicture(bytes);
    const answer = await ask(prepared(picture, record.image_size));
    const probability = sigmoid(answer.logit);
    if (!Number.isFinite(probability)) refuse("the model gave no number for it");
    if (mine === asked) show(name, picture, probability, answer.heatmap);
  } catch (error) {
    if (mine !== asked) return;
    say("");
    complain(`${name} was not read: ${reason(error)}`);
  }
}

function show(name, picture, probability, heat) {
  const positive = probability >= record.operating_point;
  const called = positive ? "positive" : "negative";
  const words = capital(`${finding ? `${finding}: ` : ""}called ${called.toUpperCase()}`);
  $("answer").className = `card answer ${called}`;
  $("mark").firstElementChild.setAttribute("d", MARKS[called]);
  $("called").textContent = words;
  $("name").textContent = name;
  $("about").textContent = about(picture);
  $("caution").hidden = !caution(picture);
  $("caution").textContent = caution(picture);
  $("probability").textContent = fixed(probability, positive);
  $("from").textContent = record.operating_point.toFixed(4);
  $("score").style.width = `${100 * probability}%`;
  $("point").style.left = `${100 * record.operating_point}%`;
  // Its words stay within the scale, whose ends have words of their own.
  $("here").style.left = `clamp(5.5rem, ${100 * record.operating_point}%, 100% - 5.5rem)`;
  $("by").textContent = `By ${signature()}.`;
  $("result").dataset.probability = probability;
  $("result").hidden = false;
  drawPicture($("picture"), picture);
  $("picture").setAttribute("aria-label", `the radiograph ${name}`);
  $("mapped").hidden = !heat;
  $("unmapped").hidden = Boolean(heat);
  if (heat) {
    drawMap($("map"), $("picture"), heat);
    $("map").setAttribute("aria-label", `${name} under the map of where its score came from`);
    $("nothing").hidden = heat.values.some((value) => value > 0);
  }
  const from = record.operating_point.toFixed(4);
  say(`${name}. ${words}, score ${fixed(probability, positive)}, positive from ${from} on.`, true);
}

// Four decimals, and never such as would contradict the call.
function fixed(probability, positive) {
  for (let digits = 4; digits < 17; digits += 1) {
    const words = probability.toFixed(digits);
    if (Number(words) >= Number(record.operating_point.toFixed(4)) === positive) return words;
  }
  return String(probability);
}

function about({ width, height, said }) {
  const parts = [`${width} x ${height} pixels`];
  if (said) parts.push(`its header says ${Object.values(said).filter(Boolean).join(", ")}`);
  return `(${parts.join("; ")})`;
}

function caution({ said }) {
  if (!said || RADIOGRAPHS.includes(said.modality)) return "";
  const modality = said.modality || "no modality";
  return `Its header says ${modality}, and not CR or DX: the model was made for radiographs.`;
}

const capital = (words) => words.slice(0, 1).toUpperCase() + words.slice(1);

function signature() {
  const version = model.version ? `version ${model.version}` : "not a release";
  return `${model.name}, ${version}, SHA-256 ${record.model_sha256.slice(0, 16)}`;
}

function describeModel() {
  const facts = [
    ["Looks for", finding],
    ["Model", model.name],
    ["Version", model.version],
    ["SHA-256 of the model", record.model_sha256],
    ["SHA-256 of its files in this page", model.export_sha256],
    ["Signed by", model.signers],
    ["Operating point", `${record.operating_point}, chosen in ${record.runtime}`],
    ["Its input", `${record.image_size} x ${record.image_size} pixels, grey`],
    ["Converted by", record.converter],
  ];
  for (const [name, value] of facts) {
    if (!value) continue;
    const [row, term, words] = ["div", "dt", "dd"].map((kind) => document.createElement(kind));
    term.textContent = name;
    words.textContent = value;
    row.append(term, words);
    $("model").append(row);
  }
}

function listen(ask) {
  const take = (given) => given.length && read(ask, [...given]);
  $("file").addEventListener("change", () => {
    take($("file").files);
    $("file").value = ""; // or the same file could not be chosen twice
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    $("drop").classList.add("over");
  });
  for (const end of ["dragleave", "drop"]) {
    document.addEventListener(end, () => $("drop").classList.remove("over"));
  }
  document.addEventListener("drop", (event) => {
    event.preventDefault(); // or the browser would leave the page and open the file
    take(event.dataTransfer.files);
  });
  $("file").disabled = false;
}

// Keeps the page for the time without a network, where the browser can.
async function keep() {
  if (location.protocol === "file:") {
    $("offline").textContent = "Opened from a folder: it needs no network.";
    return;
  }
  const link = document.createElement("link");
  link.rel = "manifest";
  link.href = "manifest.webmanifest";
  document.head.append(link);
  if (!("serviceWorker" in navigator)) {
    $("offline").textContent = "This browser cannot keep the page: it needs the network to open.";
    return;
  }
  try {
    const registration = await navigator.serviceWorker.register("worker.js");
    registration.addEventListener("updatefound", () => {
      registration.installing.addEventListener("statechange", ({ target }) => {
        if (target.state !== "installed" || !registration.active) return;
        $("offline").textContent =
          "Another version of this page is here: close it in every window and open it again.";
      });
    });
    await navigator.serviceWorker.ready;
    $("offline").textContent = "Kept on this device: it opens without a network.";
  } catch (error) {
    $("offline").textContent = `Not kept on this device: ${reason(error)}`;
  }
}

async function start() {
  if (!globalThis.casegateReader) refuse("model.js is missing; get the page anew");
  if (!globalThis.crypto?.subtle) {
    refuse("open this page over https, from this device (localhost), or from a folder");
  }
  if (finding) $("title").textContent = `Read a radiograph for ${finding}`;
  $("lead").textContent =
    `The picture stays on this device. It is read by ${signature()}.`;
  describeModel();
  drawColours($("colours"));
  const bytes = Object.fromEntries(
    Object.entries(files).map(([name, text]) => [name, unpacked(text)]),
  );
  const ask = await openNetwork(record, bytes);
  listen(ask);
  say("Ready.");
}

const unpacked = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

start()
  .catch((error) => {
    say("");
    const why = error instanceof Refused ? reason(error) : `the model does not start: ${reason(error)}`;
    complain(`Nothing can be read here: ${why}`);
  })
  .then(keep);
