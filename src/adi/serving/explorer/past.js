// What a known user did, newest first.

import { count, heard, make, shown } from "./elements.js";
import { itemParts, UNKNOWN } from "./item.js";

export function pastOf(found, highlight) {
  const { past, attributes } = found;
  const numbers = Object.keys(found.domains);
  const events = past.history.map(({ item, domain, since }) => {
    const own = attributes[domain]?.[item] ?? UNKNOWN;
    const { picture, button, key } = itemParts(item, own);
    const word = own.title === null ? Object.values(own.others).find((value) => typeof value === "string") : null;
    const element = make("li", { class: `event domain-${Math.max(0, numbers.indexOf(domain)) % 7}` },
      picture, button, key, make("span", { class: "place" }, heard("in "), domain), word ? make("span", { class: "note" }, shown(word)) : null,
      since ? make("span", { class: "since" }, "since export") : null);
    highlight.add(item, element, button);
    return element;
  });
  const shownOf = past.total > events.length ? `the latest ${events.length} of ${count(past.total)}` : count(past.total);
  const unknown = past.known ? "" : " The bundle does not know this user: all of it came as events.";
  return make("section", { class: "past", "aria-labelledby": "past-head" },
    make("h2", { id: "past-head" }, `History, newest first (${shownOf})`),
    unknown ? make("p", { class: "note" }, unknown) : null,
    events.length
      ? make("ol", { tabindex: "0", "aria-labelledby": "past-head" }, ...events)
      : make("p", { class: "note" }, "None: this user did nothing that the data has."));
}
