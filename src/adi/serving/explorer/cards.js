// Lists side by side, a card for each: its items, and for each item its rank in the other lists.

import { heard, make, shown } from "./elements.js";
import { itemParts, UNKNOWN } from "./item.js";

// `lists` has the rows of each list, best first: the `item`, its `value` as text and the `name` of that value, and `more`,
// an element to show below or null. `none` says why a list is empty, `others` what the other lists are of.
export function cards(lists, attributes, highlight, { none, others = "domains", heading = "h2" }) {
  const names = Object.keys(lists);
  const ranks = Object.fromEntries(names.map((name) => [name, ranksOf(lists[name])]));
  return make("div", { class: "cards" }, ...names.map((name, number) => {
    const rows = lists[name].map((own, place) => row({
      ...own, rank: place + 1, attributes: attributes[name]?.[own.item] ?? UNKNOWN, listsOf: others,
      others: names.filter((other) => other !== name).map((other) => [other, ranks[other].get(own.item), names.indexOf(other)]),
    }, highlight));
    return make("section", { class: `card domain-${number % 7}`, "aria-label": name },
      make(heading, {}, name),
      rows.length ? make("ol", {}, ...rows) : make("p", { class: "note" }, none));
  }));
}

const ranksOf = (rows) => new Map(rows.map(({ item }, place) => [item, place + 1]));

function row({ item, value, name, more, rank, attributes, listsOf, others }, highlight) {
  const { picture, button, key } = itemParts(item, attributes);
  const elsewhere = others.map(([domain, other, number]) =>
    make("li", { class: other ? `domain-${number % 7}` : "absent" },
      `${domain} `, other ? make("b", {}, String(other)) : make("span", { "aria-hidden": "true" }, "–"),
      other ? null : heard("not in its list")));
  const known = Object.entries(attributes.others).map(([key, own]) => [key, shown(own)]).filter(([, text]) => text !== null);
  const element = make("li", { class: "item" },
    make("span", { class: "rank" }, heard("rank "), String(rank)),
    make("div", { class: "head" }, picture, make("div", { class: "names" }, button, key,
      others.length ? make("ul", { class: "elsewhere", "aria-label": `Rank in the other ${listsOf}` }, ...elsewhere) : null)),
    make("span", { class: "score" }, heard(`${name} `), value),
    more,
    known.length ? make("dl", {}, ...known.map(([key, text]) => make("div", {}, make("dt", {}, key), make("dd", {}, text)))) : null);
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
