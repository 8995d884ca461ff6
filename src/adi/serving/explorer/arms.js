// The lists of all arms of an experiment side by side, domain by domain, and how many items they share.

import { ask } from "./api.js";
import { cards } from "./cards.js";
import { make } from "./elements.js";
import { bars, legend, partsOf } from "./parts.js";
import { retrieve } from "./retrieve.js";

const NONE = "Nothing: no item is admitted that is not left out.";

// What each arm answers to a state, by its name.
export async function retrieveFromAll(state, arms) {
  const found = await Promise.all(arms.map(async (arm) => {
    const { display } = await ask("v1/bundle", undefined, arm);
    return retrieve({ ...state, arm }, display);
  }));
  return Object.fromEntries(arms.map((arm, place) => [arm, found[place]]));
}

export function armsSideBySide(byArm, highlight) {
  const arms = Object.keys(byArm);
  const parts = Object.fromEntries(arms.map((arm) => [arm, partsOf(byArm[arm].domains)]));
  const names = [...new Set(Object.values(parts).flat())];
  const domains = Object.keys(byArm[arms[0]].domains);
  return [
    ...(names.length ? [legend(names)] : []),
    ...domains.map((domain) => {
      const lists = Object.fromEntries(arms.map((arm) => [arm, rowsOf(byArm[arm].domains[domain], parts[arm])]));
      const attributes = Object.fromEntries(arms.map((arm) => [arm, byArm[arm].attributes[domain] ?? {}]));
      return make("section", { class: "arms", "aria-label": domain },
        make("h2", {}, domain),
        make("p", { class: "note" }, shared(Object.values(lists))),
        cards(lists, attributes, highlight, { none: NONE, others: "arms", heading: "h3" }));
    }),
  ];
}

// The rows of a card: the items with their scores, and of a list with parts of scores these.
export function rowsOf(list, names) {
  const more = list.parts ? bars(list, names) : [];
  return list.items.map((item, place) =>
    ({ item, value: list.scores[place].toFixed(3), name: "score", more: more[place] ?? null }));
}

function shared(lists) {
  const [first, ...others] = lists.map((rows) => new Set(rows.map(({ item }) => item)));
  const common = [...first].filter((item) => others.every((other) => other.has(item))).length;
  const longest = Math.max(first.size, ...others.map((other) => other.size));
  return `${common} of ${longest} items are in the list of every arm.`;
}
