// The tab Trending: what is clicked most now in each domain, asked anew every few seconds while it is open.

import { ask } from "./api.js";
import { attributesOf } from "./attributes.js";
import { cards } from "./cards.js";
import { byId, count, make } from "./elements.js";
import { Highlight } from "./highlight.js";

const PAUSE = 3000; // milliseconds between two requests
const ITEMS = 20; // of each domain
const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

let highlight = new Highlight();

// Shows the lists, and goes on while `current` says so; returns once they are there for the first time.
export async function trending(state, about, current) {
  const has = about.half_lives !== null;
  byId("trending-view").hidden = !has;
  byId("no-trends").textContent = has ? "" : `The bundle of ${about.model} has no trends: it does not count clicks as they come. `
    + "Models do whose data was prepared with trend in the schema.";
  if (!has) return;
  byId("half-life").replaceChildren(...about.half_lives.map((value) => make("option", { value }, value)));
  highlight = new Highlight();
  await showLists(state, about, current);
  repeat(state, about, current);
}

async function repeat(state, about, current) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    if (!current()) return;
    if (document.hidden || !byId("go-on").checked) continue;
    try {
      await showLists(state, about, current);
    } catch (problem) {
      if (current()) byId("trending-status").textContent = problem.message;
    }
  }
}

async function showLists(state, about, current) {
  const arm = state.arm || null;
  const chosen = about.half_lives.includes(state.halfLife) ? { half_life: state.halfLife } : {};
  const answers = await Promise.all(about.domains.map((domain) =>
    ask(`v1/trending?${new URLSearchParams({ domain, k: ITEMS, ...chosen })}`, undefined, arm)));
  const items = Object.fromEntries(answers.map(({ domain, items: own }) => [domain, own.map(({ item }) => item)]));
  const found = await attributesOf(items, arm, about.display);
  if (current()) present(answers, found);
}

function present(answers, { attributes, without }) {
  const [{ half_life: halfLife, moment, available }] = answers;
  if (byId("half-life").value !== halfLife) byId("half-life").value = halfLife;
  byId("trending-status").textContent = `Clicks before ${momentOf(moment)}. A click counts half after `
    + `${halfLife}; on the right, each item's share of the domain's clicks.`;
  const notes = [];
  if (!available) notes.push("Clicks may be missing, since a source of clicks does not answer. Lists come without trends.");
  if (without) notes.push(`Without attributes: ${without}`);
  const isDate = typeof moment === "string";
  const lists = answers.map(({ domain, items }) => [domain, items.map((own) => rowOf(own, isDate))]);
  const next = new Highlight();
  replaceLists(
    ...notes.map((text) => make("p", { class: "warning" }, text)),
    cards(Object.fromEntries(lists), attributes, next, { none: "Nothing is clicked now." }));
  if (highlight.pressed !== null) next.press(highlight.pressed);
  highlight = next;
}

// The focus stays where it is, and the cards as far as they are scrolled.
function replaceLists(...children) {
  const box = byId("trending-lists");
  const focused = document.activeElement;
  const number = [...box.querySelectorAll(".card")].findIndex((card) => card.contains(focused));
  const scrolled = box.querySelector(".cards")?.scrollLeft ?? 0;
  box.replaceChildren(...children);
  box.querySelector(".cards").scrollLeft = scrolled;
  if (number < 0) return;
  const buttons = [...box.querySelectorAll(".card")[number].querySelectorAll("button.id")];
  buttons.find((button) => button.dataset.item === focused.dataset.item)?.focus({ preventScroll: true });
}

function rowOf({ item, count: clicks, share, age }, isDate) {
  const since = isDate ? `first clicked ${ago(age)} ago` : `age ${count(Math.round(age))}`;
  const more = make("p", { class: "note more" }, `${clicks.toFixed(clicks < 10 ? 1 : 0)} clicks, ${since}`);
  return { item, value: `${(100 * share).toFixed(1)} %`, name: "share of clicks", more };
}

function ago(seconds) {
  const [unit, size] = UNITS.find(([, own]) => seconds >= own) ?? UNITS.at(-1);
  return `${Math.floor(seconds / size)} ${unit}`;
}

const momentOf = (moment) => typeof moment === "string" ? `${moment.slice(0, 19).replace("T", " ")} UTC` : count(moment);
