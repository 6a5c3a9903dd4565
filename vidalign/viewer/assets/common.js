// What all pages share. All values come from the JSON block "data"; text of subtitles and names enter the
// document as text nodes only.
"use strict";

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
const wordsOf = (text) => fold(text).split(/\s+/).filter(Boolean);
const inside = (span, time) => span !== null && time >= span[0] && time < span[1];
const number = (value, digits = 2) => (value === null ? "unknown" : value.toFixed(digits));

function clock(seconds, digits = 0) {
  const total = Math.round(Math.abs(seconds) * 10 ** digits) / 10 ** digits;
  const hours = Math.floor(total / 3600), minutes = Math.floor((total % 3600) / 60);
  const rest = (total % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  const front = hours ? `${hours}:${String(minutes).padStart(2, "0")}` : String(minutes);
  return `${seconds < 0 && total > 0 ? "-" : ""}${front}:${rest}`;
}

function spanText(span, digits = 0) {
  return span === null ? "no time" : `${clock(span[0], digits)}–${clock(span[1], digits)}`;
}

function make(tag, values = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(values)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** The action at the next drawing of the screen, however often it is asked for before. */
function once(action) {
  let asked = false;
  return () => {
    if (!asked) requestAnimationFrame(() => { asked = false; action(); });
    asked = true;
  };
}

function themes(changed) {
  const choices = ["Auto", "Light", "Dark"], system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = 0;
  const apply = () => {
    const dark = chosen === 2 || (chosen === 0 && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    $("theme").textContent = `◐ ${choices[chosen]}`;
    $("theme").title = "Colours: automatic, light or dark";
    changed(dark);
  };
  $("theme").addEventListener("click", () => { chosen = (chosen + 1) % 3; apply(); });
  system.addEventListener("change", apply);
  apply();
}

function ready() {
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}
