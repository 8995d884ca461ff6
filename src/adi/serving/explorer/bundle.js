// What the live bundle is: where it comes from, what its indexes were measured at, and how the run did in its test.

import { curve } from "./curve.js";
import { count, make, table } from "./elements.js";

const percent = (share) => (share === null || share === undefined ? "–" : share.toFixed(4));

export function bundle(about) {
  const indexes = Object.entries(about.indexes);
  const curves = indexes.filter(([, own]) => own.curve.length).map(([name, own]) => curve(name, own));
  const exact = indexes.filter(([, own]) => own.kind === "exact").map(([name]) => name);
  return [
    facts(about),
    make("h2", {}, "Indexes"),
    table("Index of each domain", ["Domain", "Items", "Kind", "Lists", "nprobe", "Recall", "of the top", "checked on"],
      indexes.map(([name, own]) => [
        name, count(own.items), own.kind, own.nlist === null ? "–" : count(own.nlist), own.nprobe === null ? "–" : count(own.nprobe),
        percent(own.recall), count(own.k), `${count(own.queries)} queries`,
      ])),
    exact.length ? make("p", { class: "note" }, `The index of ${exact.join(", ")} is exact: it reads every item, finds all of `
      + "the top, and so has no curve of recall against time.") : null,
    curves.length ? make("div", { class: "charts" }, ...curves) : null,
    make("h2", {}, "Test metrics of the run"),
    metrics(about),
  ].filter((part) => part !== null);
}

const time = (text) => text?.replace("T", " ").replace("+00:00", " UTC");

function facts(about) {
  const run = about.run ?? {};
  const pairs = [
    ["Version", about.version], ["Model", about.model], ["Exported", time(about.created)], ["Trained", time(run.created)],
    ["Parameters", run.parameters && count(run.parameters)], ["Seed", run.seed], ["Fingerprint of the data", about.fingerprint],
    ["adi", about.adi], ...Object.entries(about.versions),
  ].filter(([, value]) => value !== null && value !== undefined);
  return make("dl", { class: "facts" }, ...pairs.map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, String(value)))));
}

function metrics(about) {
  const found = about.run?.metrics;
  if (!found) return make("p", {}, "None: the run had not been evaluated when it was exported.");
  const first = found.ks[0];
  const names = [...found.ks.map((k) => `recall@${k}`), `ndcg@${first}`, `mrr@${first}`];
  const numbers = (own) => names.map((name) => percent(own[name]));
  const rows = Object.entries(found.domains).map(([name, own]) => [name, count(own.queries), count(own.corpus), ...numbers(own)]);
  if (found.mean) rows.push(["mean", "", "", ...numbers(found.mean)]);
  return table(`On ${found.part}, against the ${found.against}, history: ${found.history}`,
    ["Domain", "Queries", "Corpus", ...names], rows);
}
