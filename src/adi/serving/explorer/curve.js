// The curve of an index: recall against the time of one query, a point for each number of lists that is read.

import { drawn, make, table } from "./elements.js";

const [WIDTH, HEIGHT] = [360, 220];
const FLOORS = [0.96, 0.8, 0.6, 0.2, 0]; // where the axis of recall may begin: four even steps from each to 1
const [LEFT, RIGHT, TOP, BOTTOM] = [44, 336, 14, 178];

export function curve(name, { curve: points, nprobe, target, k }) {
  const most = Math.max(...points.map((point) => point.p50_ms));
  const least = Math.min(target, ...points.map((point) => point.recall));
  const floor = FLOORS.find((one) => one < least) ?? 0;
  const x = (ms) => LEFT + (ms / most) * (RIGHT - LEFT);
  const y = (recall) => BOTTOM - ((recall - floor) / (1 - floor)) * (BOTTOM - TOP);
  const ordered = [...points].sort((one, other) => one.nprobe - other.nprobe);
  const chosen = ordered.find((point) => point.nprobe === nprobe);
  const picture = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label":
      `${name}: recall of the top ${k} against milliseconds of one query; ${chosen ? words(chosen) : "the numbers are below"}` },
    ...[0, 1, 2, 3, 4].flatMap((step) => horizontal(floor + (step * (1 - floor)) / 4, y)),
    ...[0, 1, 2, 3, 4].map((step) => label(x((step * most) / 4), BOTTOM + 16, ((step * most) / 4).toPrecision(2), "middle")),
    label((LEFT + RIGHT) / 2, HEIGHT - 6, "median milliseconds of one query", "middle"),
    drawn("line", { class: "target", x1: LEFT, x2: RIGHT, y1: y(target), y2: y(target) }),
    drawn("polyline", { class: "line", points: ordered.map((point) => `${x(point.p50_ms)},${y(point.recall)}`).join(" ") }),
    ...ordered.map((point) => drawn("circle", {
      class: point === chosen ? "chosen" : "point", cx: x(point.p50_ms), cy: y(point.recall), r: point === chosen ? 6 : 3,
    }, drawn("title", {}, words(point)))));
  const rows = ordered.map((point) => [String(point.nprobe), point.recall.toFixed(4), point.p50_ms.toFixed(3), point.p99_ms.toFixed(3)]);
  return make("figure", {},
    make("h3", {}, name),
    picture,
    make("figcaption", { class: "note" }, `Recall of the top ${k}. ${chosen ? `The large point is what is served: ${words(chosen)}. ` : ""}`
      + `The broken line is the target, ${target}.`),
    make("details", {}, make("summary", {}, "In numbers"),
      table(`Curve of ${name}`, ["nprobe", "Recall", "Median ms", "99 % ms"], rows)));
}

const words = (point) => `nprobe ${point.nprobe}, recall ${point.recall.toFixed(4)}, ${point.p50_ms.toFixed(3)} ms`;

const label = (x, y, text, anchor) => drawn("text", { x, y, "text-anchor": anchor }, text);

const horizontal = (recall, y) => [
  drawn("line", { class: "grid", x1: LEFT, x2: RIGHT, y1: y(recall), y2: y(recall) }),
  label(LEFT - 6, y(recall) + 4, recall.toFixed(2), "end"),
];
