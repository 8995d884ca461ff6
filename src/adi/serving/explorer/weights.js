// The weight that the adaptation layer gives to each feature in each domain, as a heat map of each side.

import { make, table } from "./elements.js";

const SIDES = { user: "User's side", item: "Item's side" };
const LEAST_SPAN = 0.2; // what colours span at least, as a share of the largest value: what is nearly the same looks it
const LIGHT = [222, 235, 247];
const DARK = [8, 69, 148];

export function weights(about) {
  const sides = Object.entries(about.run?.interest ?? {});
  if (sides.length === 0) return [make("p", {}, reason(about))];
  return [
    make("p", {}, "The mean weight that the adaptation layer gives to a feature in a domain, over test queries and over the "
      + "items of the domain's corpus. Compare the domains within a row: how much a feature matters also depends on the "
      + "size of its embedding. Each table has its own scale, the darker the larger."),
    ...sides.map(([side, own]) => heatMap(SIDES[side] ?? side, own)),
  ];
}

function reason(about) {
  if (!about.run?.created) return "This bundle was exported before bundles kept what is known of their run. Export the run again.";
  const evaluated = about.run.metrics === null ? " Or the run was exported before it was evaluated: 'adi evaluate' writes the weights." : "";
  return `The run of ${about.model} has no weights of features: only models with an adaptation layer, such as adi-se, have.${evaluated}`;
}

function heatMap(caption, { features, values }) {
  const domains = Object.keys(values);
  const [low, high] = span(domains.flatMap((name) => values[name]).filter((value) => value !== null));
  const rows = features.map((feature, place) => [feature, ...domains.map((name) => cell(values[name][place], low, high))]);
  const whole = table(caption, ["Feature", ...domains], rows);
  whole.classList.add("heat");
  return whole;
}

function span(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = Math.max(0, LEAST_SPAN * Math.max(...values.map(Math.abs)) - (high - low)) / 2;
  return [low - room, high + room];
}

function cell(value, low, high) {
  if (value === null) return make("td", {}, "–");
  const share = high > low ? (value - low) / (high - low) : 0;
  const colour = LIGHT.map((from, channel) => Math.round(from + share * (DARK[channel] - from)));
  const element = make("td", { title: String(value) }, value.toFixed(2));
  element.style.backgroundColor = `rgb(${colour.join(" ")})`;
  element.style.color = luminance(colour) > 0.179 ? "#000" : "#fff"; // where both have the same contrast, 4.6
  return element;
}

function luminance(colour) {
  const [red, green, blue] = colour.map((value) => (value / 255 <= 0.04045 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
