// The row of tabs: arrows go from one to the next, as in any list of tabs.

import { byId } from "./elements.js";
import { TABS } from "./state.js";

export function tabs(choose) {
  TABS.forEach((name, place) => {
    const tab = byId(`tab-${name}`);
    tab.addEventListener("click", () => choose(name));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = TABS[(place + step + TABS.length) % TABS.length];
      byId(`tab-${next}`).focus();
      choose(next);
    });
  });
}

export function showTab(name) {
  for (const own of TABS) {
    byId(`panel-${own}`).hidden = own !== name;
    byId(`tab-${own}`).setAttribute("aria-selected", String(own === name));
    byId(`tab-${own}`).tabIndex = own === name ? 0 : -1;
  }
}
