// Renews what is inside <main>, keeping focus, scroll and what is unfolded; the button stops it.
"use strict";
const EVERY_MS = 15000;
const FOCUSABLE = "a, summary, [tabindex]";
const button = document.getElementById("renew");
let wanted = true;

button.hidden = false;
button.addEventListener("click", () => {
  wanted = !wanted;
  button.setAttribute("aria-pressed", String(wanted));
  button.textContent = wanted ? "Renews every 15 s" : "Stands still";
});

async function renew() {
  if (!wanted || document.hidden) return;
  try {
    const answer = await fetch(location.pathname, { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
    const old = document.getElementById("main");
    if (String(getSelection())) return; // somebody is about to copy it
    const focused = [...old.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
    const unfolded = [...old.querySelectorAll("details")].map((each) => each.open);
    [...fresh.querySelectorAll("details")].forEach((each, place) => { each.open = Boolean(unfolded[place]); });
    old.replaceWith(document.adoptNode(fresh));
    if (focused >= 0) fresh.querySelectorAll(FOCUSABLE)[focused]?.focus({ preventScroll: true });
    document.body.classList.remove("stale");
  } catch {
    document.body.classList.add("stale");
    button.textContent = "The operator does not answer: this is old";
    return;
  }
  button.textContent = "Renews every 15 s";
}
setInterval(renew, EVERY_MS);
