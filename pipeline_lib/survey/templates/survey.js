"use strict";

const survey = JSON.parse(document.getElementById("survey-data").textContent);
const store = "brightbooth:" + survey.survey;
const SETTLE_MS = 200; // a double click or a held key must not answer the next trial, too
const LONGEST_MS = 86400000;
const find = id => document.getElementById(id);
const buttons = [...document.querySelectorAll(".option")];
let progress = { rater: "", at: 0, answers: {} };
let shownAt = 0;

// --- SHA-256 (FIPS 180-4): the browser's own is missing where a page is not served securely -------

function firstPrimes(count) {
  const primes = [];
  for (let n = 2; primes.length < count; n += 1) {
    if (primes.every(p => n % p)) primes.push(n);
  }
  return primes;
}

const fractionBits = value => ((value - Math.floor(value)) * 2 ** 32) >>> 0;
const ROUNDS = firstPrimes(64).map(p => fractionBits(Math.cbrt(p)));
const START = firstPrimes(8).map(p => fractionBits(Math.sqrt(p)));
const turn = (word, bits) => (word >>> bits) | (word << (32 - bits));

function padded(text) {
  const bytes = new TextEncoder().encode(text);
  const whole = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64);
  whole.set(bytes);
  whole[bytes.length] = 0x80;
  const view = new DataView(whole.buffer);
  view.setUint32(whole.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(whole.length - 4, bytes.length << 3);
  return view;
}

function schedule(view, offset) {
  const words = [];
  for (let i = 0; i < 64; i += 1) {
    if (i < 16) { words.push(view.getUint32(offset + 4 * i)); continue; }
    const [a, b] = [words[i - 15], words[i - 2]];
    const low = turn(a, 7) ^ turn(a, 18) ^ (a >>> 3);
    const high = turn(b, 17) ^ turn(b, 19) ^ (b >>> 10);
    words.push((words[i - 16] + low + words[i - 7] + high) >>> 0);
  }
  return words;
}

function compress(state, words) {
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i += 1) {
    const choice = (e & f) ^ (~e & g);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const one = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + choice + ROUNDS[i] + words[i];
    const two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + majority;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) >>> 0, c, b, a, (one + two) >>> 0];
  }
  return [a, b, c, d, e, f, g, h].map((word, i) => (word + state[i]) >>> 0);
}

function sha256(text) {
  const view = padded(text);
  let state = START;
  for (let offset = 0; offset < view.byteLength; offset += 64) {
    state = compress(state, schedule(view, offset));
  }
  return state.map(word => word.toString(16).padStart(8, "0")).join("");
}

const shortDigest = (...lines) => sha256(lines.join("\n")).slice(0, 16);

// --- progress, kept by the browser under the survey's name ---------------------------------------

const isAnswer = value => Array.isArray(value) && value.length === 2 && value.every(Number.isInteger)
  && value[0] >= 1 && value[0] <= survey.alternatives && value[1] >= 0 && value[1] <= LONGEST_MS;

function keep() {
  try {
    localStorage.setItem(store, JSON.stringify(progress));
  } catch {
    find("unkept").hidden = false;
  }
}

function recall() {
  try {
    const kept = JSON.parse(localStorage.getItem(store)) ?? {};
    const answers = Object.entries(kept.answers ?? {})
      .filter(([trial, answer]) => survey.trials[trial - 1] && isAnswer(answer));
    progress.answers = Object.fromEntries(answers);
    progress.rater = nameOf(kept.rater) ?? "";
  } catch {
    find("unkept").hidden = false;
  }
  progress.at = firstOpen();
}

const answered = () => Object.keys(progress.answers).length;

function firstOpen() {
  const open = survey.trials.findIndex((_, i) => !(i + 1 in progress.answers));
  return open < 0 ? survey.trials.length - 1 : open;
}

function nameOf(text) {
  const name = String(text ?? "").normalize("NFC").trim().replace(/\s+/gu, " ");
  return /^\p{L}[\p{L}\p{M}\p{N} ._-]{0,39}$/u.test(name) ? name : null;
}

// --- what is shown -------------------------------------------------------------------------------

function show(name) {
  for (const section of document.querySelectorAll("main section")) section.hidden = section.id !== name;
  ({ trial: showTrial, end: showEnd, start: showStart })[name]();
}

function showStart() {
  find("rater").value = progress.rater;
}

function showTrial() {
  const number = progress.at + 1;
  const trial = survey.trials[progress.at];
  const chosen = progress.answers[number]?.[0];
  buttons.forEach((button, i) => {
    button.firstElementChild.src = "data:image/png;base64," + trial.pictures[i];
    button.setAttribute("aria-pressed", String(chosen === i + 1));
  });
  find("place").textContent = `Trial ${number} of ${survey.trials.length}`;
  find("progress").value = answered();
  find("back").disabled = progress.at === 0;
  find("forward").disabled = chosen === undefined;
  layOut();
  shownAt = performance.now();
}

function showEnd() {
  const all = survey.trials.length, done = answered();
  find("end-title").textContent = done === all ? "Done. Thank you!" : `${done} of ${all} answered`;
  find("end-words").textContent = done === all
    ? "Save your answers and send the file back. Until you save them they are on this computer only."
    : "You can save what there is, or go on: your answers are kept in this browser on this computer.";
  find("return").textContent = done === all ? "Look at the answers again" : "Go on";
  find("rater-end").value = progress.rater;
  find("save").disabled = done === 0;
  find("saved").textContent = "";
  find("copy").value = answersToCsv();
  find("end-title").focus();
}

function fitting(columns, scale) {
  // Frames, gaps and the words around the pictures; blocks are device pixels of one picture pixel.
  const rows = survey.alternatives / columns, ratio = window.devicePixelRatio || 1;
  const wide = (find("options").clientWidth - 12 * (columns - 1)) / columns - 16;
  const high = (window.innerHeight - 230 - 12 * (rows - 1)) / rows - 45;
  const room = Math.min(scale, wide / survey.width, Math.max(1, high / survey.height));
  return { columns, blocks: Math.floor(room * ratio), wide };
}

function layOut() {
  const ratio = window.devicePixelRatio || 1;
  const layouts = (survey.alternatives === 2 ? [2, 1] : [4, 2, 1]).map(n => fitting(n, survey.scale));
  const best = layouts.reduce((one, other) => (other.blocks > one.blocks ? other : one));
  const shrunk = best.blocks === 0;
  const columns = shrunk ? 1 : best.columns;
  const width = shrunk ? Math.max(1, layouts.at(-1).wide) : (survey.width * best.blocks) / ratio;
  find("options").classList.toggle("smooth", shrunk);
  find("options").style.gridTemplateColumns = `repeat(${columns}, max-content)`;
  find("narrow").hidden = !shrunk;
  for (const button of buttons) {
    button.firstElementChild.style.width = `${width}px`;
    button.firstElementChild.style.height = `${(width * survey.height) / survey.width}px`;
  }
}

// --- what a rater does ---------------------------------------------------------------------------

function choose(position) {
  const took = performance.now() - shownAt;
  if (took < SETTLE_MS) return;
  progress.answers[progress.at + 1] = [position, Math.min(Math.round(took), LONGEST_MS)];
  forward();
}

function forward() {
  if (!(progress.at + 1 in progress.answers)) return;
  const last = progress.at === survey.trials.length - 1;
  if (!last) progress.at += 1;
  keep();
  if (!last) return show("trial");
  progress.at = firstOpen();
  show(answered() === survey.trials.length ? "end" : "trial");
}

function back() {
  if (progress.at === 0) return;
  progress.at -= 1;
  show("trial");
}

function takeName(field, fault) {
  const name = nameOf(find(field).value);
  find(fault).hidden = name !== null;
  find(field).setAttribute("aria-invalid", String(name === null));
  if (name === null) {
    find(fault).textContent = "Please give a name or code of 1 to 40 characters that begins with a letter.";
    find(field).focus();
    return false;
  }
  progress.rater = name;
  keep();
  return true;
}

function answersToCsv() {
  const rows = [["survey", "rater", "trial", "chosen", "milliseconds", "check"]];
  for (const trial of Object.keys(progress.answers).map(Number).sort((a, b) => a - b)) {
    const [chosen, milliseconds] = progress.answers[trial];
    const commitment = survey.trials[trial - 1].commitment;
    const check = shortDigest(survey.survey, commitment, progress.rater, trial, chosen, milliseconds);
    rows.push([survey.survey, progress.rater, trial, chosen, milliseconds, "check-" + check]);
  }
  return rows.map(row => row.join(",") + "\r\n").join("");
}

function save() {
  if (!takeName("rater-end", "rater-end-fault")) return;
  const text = answersToCsv();
  const link = document.createElement("a");
  // The mark at the beginning lets Excel read letters beyond ASCII.
  link.href = URL.createObjectURL(new Blob(["\ufeff" + text], { type: "text/csv;charset=utf-8" }));
  link.download = `${survey.survey}-${progress.rater.replace(/[ .]+/g, "-")}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  find("copy").value = text;
  find("saved").textContent = `${link.download} is in your downloads.`;
}

function clearAll() {
  if (!window.confirm("Remove all answers that were given on this computer?")) return;
  progress = { rater: "", at: 0, answers: {} };
  keep();
  show("start");
  find("start-title").focus();
}

function pressed(event) {
  if (find("trial").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.repeat) {
    if (event.key === "Enter" || event.key === " ") event.preventDefault();
    return;
  }
  const position = Number(event.key);
  if (/^[1-9]$/.test(event.key) && position <= survey.alternatives) choose(position);
  if (event.key === "ArrowLeft") back();
  if (event.key === "ArrowRight") forward();
}

// --- beginning -----------------------------------------------------------------------------------

function listen() {
  buttons.forEach((button, i) => button.addEventListener("click", () => choose(i + 1)));
  const clicks = { back, forward, save, clear: clearAll, pause: () => show("end"), return: () => show("trial") };
  for (const [id, action] of Object.entries(clicks)) find(id).addEventListener("click", action);
  document.addEventListener("keydown", pressed);
  window.addEventListener("resize", () => { if (!find("trial").hidden) layOut(); });
  find("begin").addEventListener("submit", event => {
    event.preventDefault();
    if (!takeName("rater", "rater-fault")) return;
    show("trial");
    find("question").focus();
  });
}

function begin() {
  const commitments = survey.trials.map(trial => trial.commitment);
  const identity = "survey-" + shortDigest(survey.alternatives, ...commitments);
  document.body.dataset.survey = identity;
  if (identity !== survey.survey) {
    find("fault").textContent = "This file is damaged. Please ask for it again.";
    find("fault").hidden = false;
    return;
  }
  recall();
  keep();
  listen();
  if (!progress.rater) return show("start");
  show(answered() === survey.trials.length ? "end" : "trial");
}

begin();
