// How a score divides into taste, trend, co-clicks, similar or next items and bid: a bar from zero, to the left what lowers the score and to the
// right what raises it, in the order of the legend.

import { drawn, make } from "./elements.js";

const NAMES = { taste: "taste", trend: "trend", co_clicks: "co-clicks", neighbours: "similar or next items", bid: "bid" };
const [WIDTH, HEIGHT] = [1000, 10];

// A bar for each item of a list, all on one scale, from the `parts` of the answer and the names of those to show.
export function bars({ scores, parts }, names) {
  const reach = scores.map((_, place) => reachOf(names.map((name) => parts[name][place])));
  const low = Math.max(0, ...reach.map(([left]) => left));
  const high = Math.max(0, ...reach.map(([, right]) => right));
  const unit = WIDTH / (low + high || 1);
  return scores.map((score, place) => bar(score, names.map((name) => [name, parts[name][place]]), low * unit, unit));
}

// How far a bar reaches to the left of zero, and to the right.
const reachOf = (values) => [-1, 1].map((side) => values.reduce((sum, value) => sum + Math.max(0, side * value), 0));

function bar(score, values, zero, unit) {
  const ends = { left: zero, right: zero };
  const segments = values.map(([name, value]) => {
    const width = Math.abs(value) * unit;
    if (value < 0) ends.left -= width;
    const segment = drawn("rect", { class: `part-${name}`, x: value < 0 ? ends.left : ends.right, width, y: 0, height: HEIGHT });
    if (value >= 0) ends.right += width;
    return segment;
  });
  const numbers = values.map(([name, value]) => `${NAMES[name]} ${value.toFixed(3)}`);
  const picture = drawn("svg", { class: "bar", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `Of the score ${score.toFixed(3)}: ${numbers.join(", ")}` },
    drawn("title", {}, numbers.join("\n")),
    drawn("rect", { class: "room", x: 0, width: WIDTH, y: 0, height: HEIGHT }),
    ...segments,
    drawn("line", { class: "zero", x1: zero, x2: zero, y1: 0, y2: HEIGHT }));
  const list = values.map(([name, value]) => make("li", { class: `part-${name}` }, `${NAMES[name]} `, make("b", {}, value.toFixed(3))));
  return make("div", { class: "parts" }, picture, make("ul", { class: "part-values", "aria-hidden": "true" }, ...list));
}

// The names of the parts that the lists of an answer have: those of bids where bids count.
export function partsOf(domains) {
  const lists = Object.values(domains).map(({ parts }) => parts).filter((parts) => parts);
  return Object.keys(NAMES).filter((name) => lists.some((parts) => name !== "bid" ? name in parts : parts.bid.some((bid) => bid !== 0)));
}

export function legend(names) {
  return make("div", { class: "legend" },
    make("ul", { "aria-label": "Parts of a score" }, ...names.map((name) => make("li", { class: `part-${name}` }, NAMES[name]))),
    make("p", { class: "note" }, "A bar divides the score: what raises it is right of the line, what lowers it "
      + "left of it. Press an item for the numbers."));
}
