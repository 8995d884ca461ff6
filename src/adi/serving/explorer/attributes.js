// The attributes of items by domain and id, and why some could not be had, or null.

import { ask } from "./api.js";

const MOST = 1000; // items whose attributes one request may ask for

export async function attributesOf(items, arm) {
  const attributes = {};
  let without = null;
  await Promise.all(Object.entries(items).map(async ([domain, wanted]) => {
    try {
      attributes[domain] = (await ask("v1/items", { domain, items: [...new Set(wanted)].slice(0, MOST) }, arm)).items;
    } catch (problem) {
      attributes[domain] = {};
      without = problem.message;
    }
  }));
  return { attributes, without };
}
