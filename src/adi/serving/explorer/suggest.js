// Suggestions under a text field: a combobox with a list, for the keyboard, the pointer and the ear.

import { make } from "./elements.js";

const PAUSE = 120; // milliseconds without a key before the server is asked

// `find` gives the ids that start with a text, `choose` is told the one that is taken, `fail` what went wrong.
export function suggest(input, { find, choose, fail }) {
  const list = make("ul", { id: `${input.id}-list`, class: "suggestions", role: "listbox", hidden: true });
  list.setAttribute("aria-label", "Suggestions");
  const box = make("div", { class: "suggest" });
  input.replaceWith(box);
  box.append(input, list);
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", list.id]]) {
    input.setAttribute(name, value);
  }
  let active = -1;
  let latest = 0;
  let timer;

  function close() {
    latest += 1; // what is on its way comes too late
    clearTimeout(timer);
    list.hidden = true;
    list.replaceChildren();
    mark(-1);
  }

  function mark(place) {
    active = place;
    [...list.children].forEach((one, at) => one.setAttribute("aria-selected", String(at === active)));
    const option = list.children[active];
    if (option) {
      input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-expanded", String(!list.hidden));
  }

  function take(id) {
    close();
    choose(id);
  }

  async function open() {
    const own = ++latest;
    let ids = [];
    try {
      ids = await find(input.value);
    } catch (problem) {
      fail(problem);
    }
    if (own !== latest || document.activeElement !== input) return;
    list.replaceChildren(...ids.map((id, place) => {
      const option = make("li", { role: "option", id: `${list.id}-${place}` }, id);
      option.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
      option.addEventListener("click", () => take(id));
      return option;
    }));
    list.hidden = ids.length === 0;
    mark(-1);
  }

  input.addEventListener("input", () => {
    close();
    if (input.value) timer = setTimeout(open, PAUSE);
  });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    const size = list.children.length;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (size === 0) open();
      else mark((active + (event.key === "ArrowDown" ? 1 : active < 0 ? size : size - 1)) % size);
    } else if (event.key === "Enter" && active >= 0) {
      event.preventDefault();
      event.stopImmediatePropagation();
      take(list.children[active].textContent);
    } else if (event.key === "Escape" && size) {
      event.preventDefault();
      close();
    }
  });
  mark(-1);
  return close;
}
