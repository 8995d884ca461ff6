// A card for each domain: its top-K, and for each item where it stands in the other domains.

import { heard, make, shown } from "./elements.js";

export function cards(found, highlight) {
  const names = Object.keys(found.domains);
  const ranks = Object.fromEntries(names.map((name) => [name, ranksOf(found.domains[name].items)]));
  return make("div", { class: "cards" }, ...names.map((name, number) => {
    const { items, scores } = found.domains[name];
    const rows = items.map((item, place) => row({
      item, score: scores[place], rank: place + 1, attributes: found.attributes[name][item] ?? {},
      others: names.filter((other) => other !== name).map((other) => [other, ranks[other].get(item), names.indexOf(other)]),
    }, highlight));
    return make("section", { class: `card domain-${number % 7}`, "aria-labelledby": `card-${number}` },
      make("h2", { id: `card-${number}` }, name),
      rows.length ? make("ol", {}, ...rows) : make("p", { class: "note" }, "Nothing: no item is admitted that is not left out."));
  }));
}

const ranksOf = (items) => new Map(items.map((item, place) => [item, place + 1]));

function row({ item, score, rank, attributes, others }, highlight) {
  const button = make("button", { type: "button", class: "id" }, item);
  const elsewhere = others.map(([name, other, number]) =>
    make("li", { class: other ? `domain-${number % 7}` : "absent" },
      `${name} `, other ? make("b", {}, String(other)) : make("span", { "aria-hidden": "true" }, "–"),
      other ? null : heard("not in its list")));
  const known = Object.entries(attributes).map(([name, value]) => [name, shown(value)]).filter(([, text]) => text !== null);
  const element = make("li", { class: "item" },
    make("span", { class: "rank" }, heard("rank "), String(rank)),
    make("div", { class: "head" }, button,
      others.length ? make("ul", { class: "elsewhere", "aria-label": "Rank in the other domains" }, ...elsewhere) : null),
    make("span", { class: "score" }, heard("score "), score.toFixed(3)),
    known.length ? make("dl", {}, ...known.map(([name, text]) => make("div", {}, make("dt", {}, name), make("dd", {}, text)))) : null);
  highlight.add(item, element, button);
  return element;
}

// How far the lists differ, in a sentence.
export function summary(found) {
  const lists = Object.values(found.domains).map((own) => own.items);
  const places = new Map();
  for (const item of lists.flat()) places.set(item, (places.get(item) ?? 0) + 1);
  const sizes = [...places.values()];
  const everywhere = sizes.filter((size) => size === lists.length).length;
  const alone = sizes.filter((size) => size === 1).length;
  const parts = lists.length > 1 ? `; ${everywhere} in every list, ${alone} in one alone` : "";
  return `${sizes.length} different items in ${lists.length} lists${parts}.`;
}
