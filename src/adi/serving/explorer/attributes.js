// The attributes of items by domain and id, with title and picture apart from the others, and why some could not be had,
// or null.

import { ask } from "./api.js";

const MOST = 1000; // items whose attributes one request may ask for

// `display` names the attributes that are title and picture; null where the bundle has neither.
export async function attributesOf(items, arm, display) {
  const attributes = {};
  let without = null;
  await Promise.all(Object.entries(items).map(async ([domain, wanted]) => {
    try {
      const { items: known } = await ask("v1/items", { domain, items: [...new Set(wanted)].slice(0, MOST) }, arm);
      attributes[domain] = Object.fromEntries(Object.entries(known).map(([item, own]) => [item, parted(own, display)]));
    } catch (problem) {
      attributes[domain] = {};
      without = problem.message;
    }
  }));
  return { attributes, without };
}

function parted(own, display) {
  const { title, image } = display ?? {};
  const others = Object.entries(own).filter(([name]) => name !== title && name !== image);
  return { title: own[title] ?? null, image: own[image] ?? null, others: Object.fromEntries(others) };
}
