// An item as people know it: its picture, its title with the id beside it, or the id alone.

import { make, shown } from "./elements.js";

export const UNKNOWN = { title: null, image: null, others: {} };

const ADDRESS = /^https?:\/\/[A-Za-z0-9.-]+(:[0-9]{1,5})?([/?#]|$)/; // of pictures that the page's policy can allow

// The button by which an item is marked, and what is before and after it; each may be null.
export function itemParts(item, { title, image }) {
  const name = shown(title);
  const button = make("button", { type: "button", class: "id", "data-item": item }, name ?? item);
  const key = name === null ? null : make("span", { class: "key" }, item);
  return { picture: pictureOf(image), button, key };
}

function pictureOf(image) {
  if (typeof image !== "string" || !ADDRESS.test(image)) return null;
  const picture = make("img", { class: "picture", src: image, alt: "", loading: "lazy", referrerpolicy: "no-referrer" });
  picture.addEventListener("error", () => picture.remove());
  return picture;
}
