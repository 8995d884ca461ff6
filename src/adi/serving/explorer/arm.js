// The choice of an arm, where an experiment is served: for all that the page shows, the lists included.

import { byId, make } from "./elements.js";

export const ALL = "*"; // no arm has this name
const OWN = "that of the user";
const SIDE_BY_SIDE = "all, side by side";

export const arm = {
  chosen: () => byId("arm").value,

  changed: (tell) => byId("arm").addEventListener("change", () => tell(arm.chosen())),

  show(names, chosen) {
    byId("arm-choice").hidden = names === null;
    const choices = [["", OWN], ...(names ?? []).map((name) => [name, name]), [ALL, SIDE_BY_SIDE]];
    byId("arm").replaceChildren(...choices.map(([value, text]) => make("option", { value }, text)));
    byId("arm").value = chosen;
  },
};
