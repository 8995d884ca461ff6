// The page: the fragment says what is shown, and each change of it is shown anew.

import { ask, Problem, token } from "./api.js";
import { ALL, arm } from "./arm.js";
import { armsSideBySide, retrieveFromAll, rowsOf } from "./arms.js";
import { bundle } from "./bundle.js";
import { cards, summary } from "./cards.js";
import { byId, make } from "./elements.js";
import { Form } from "./form.js";
import { Highlight } from "./highlight.js";
import { legend, partsOf } from "./parts.js";
import { pastOf } from "./past.js";
import { retrieve } from "./retrieve.js";
import { read, write } from "./state.js";
import { showTab, tabs } from "./tabs.js";
import { trending } from "./trending.js";
import { weights } from "./weights.js";

const form = new Form(() => go({ ...form.state(), arm: arm.chosen() }));
let asked = read(""); // the latest state of the tab Retrieve, for the way back to it
let latest = 0;

function go(state) {
  if (write(state) === location.hash) show();
  else location.hash = write(state);
}

async function show() {
  const own = ++latest;
  const state = read(location.hash);
  const chosen = state.arm === ALL ? "" : state.arm;
  showTab(state.tab);
  byId("page-error").textContent = "";
  byId("results").setAttribute("aria-busy", "true"); // from the start: what is there still answers another request
  try {
    const about = await ask("v1/bundle", undefined, chosen || null);
    if (own !== latest) return;
    arm.show(about.arms, state.arm);
    byId("token-form").hidden = true;
    byId("live").textContent = `${about.arm === null ? "" : `arm ${about.arm}: `}${about.model}, bundle ${about.version}`;
    if (state.tab === "trending") await trending({ ...state, arm: chosen }, about, () => own === latest);
    else if (state.tab === "weights") byId("panel-weights").replaceChildren(...weights(about));
    else if (state.tab === "bundle") byId("panel-bundle").replaceChildren(...bundle(about));
    else await showRetrieved(state, about, () => own === latest);
  } catch (problem) {
    if (own === latest) complain(problem);
  } finally {
    if (own === latest) byId("results").removeAttribute("aria-busy");
  }
}

async function showRetrieved(state, about, current) {
  asked = state;
  form.fit(about);
  form.show(state);
  if (!state.asked) {
    byId("status").textContent = "";
    byId("results").replaceChildren(...(await examples()));
    return;
  }
  byId("status").textContent = "Asking …";
  try {
    if (state.arm === ALL && about.arms !== null) {
      const byArm = await retrieveFromAll(state, about.arms);
      if (current()) presentAll(state, byArm);
      return;
    }
    const found = await retrieve(state, about.display);
    if (current()) present(state, found);
  } catch (problem) {
    if (!current()) return;
    byId("status").textContent = "";
    byId("results").replaceChildren();
    if (!(problem instanceof Problem) || problem.status === 401) throw problem;
    form.complain(problem);
  }
}

function present(state, found) {
  const highlight = new Highlight();
  const parts = partsOf(found.domains);
  const lists = Object.entries(found.domains).map(([domain, list]) => [domain, rowsOf(list, parts)]);
  byId("results").replaceChildren(
    ...warnings(found),
    ...(found.past ? [pastOf(found, highlight)] : []),
    ...(parts.length ? [legend(parts)] : []),
    cards(Object.fromEntries(lists), found.attributes, highlight, { none: "Nothing: no item is admitted that is not left out." }));
  const answeredBy = found.arm === null ? "" : `, arm ${found.arm}, bundle ${found.version}`;
  byId("status").textContent = `${whoOf(state)}${answeredBy}: ${summary(found)}`;
}

function presentAll(state, byArm) {
  const highlight = new Highlight();
  const [first] = Object.values(byArm);
  const notes = new Map(Object.values(byArm).flatMap(warnings).map((note) => [note.textContent, note]));
  byId("results").replaceChildren(
    ...notes.values(),
    ...(first.past ? [pastOf(first, highlight)] : []),
    ...armsSideBySide(byArm, highlight));
  byId("status").textContent = `${whoOf(state)}: ${Object.keys(byArm).join(", ")} side by side.`;
}

const whoOf = (state) => state.history === null ? `User ${state.user}` : "A new user";

function warnings(found) {
  const notes = [];
  if (found.ignored.length) notes.push(`Not in the bundle, and ignored: ${found.ignored.join(", ")}.`);
  if (found.withoutEvents) notes.push("Without what the user did since the export: the store of events does not answer.");
  if (found.withoutTrends) notes.push("Without trends: a source of clicks does not answer, so these lists are by taste alone.");
  if (found.without) notes.push(`Without attributes: ${found.without}`);
  return notes.map((text) => make("p", { class: "warning" }, text));
}

// For somebody who has no id at hand.
async function examples() {
  const { users } = await ask("v1/users?limit=3");
  const buttons = users.map((user) => {
    const button = make("button", { type: "button", class: "example" }, user);
    button.addEventListener("click", () => go({ ...form.state(), history: null, user, arm: arm.chosen() }));
    return button;
  });
  return buttons.length ? [make("p", { class: "note examples" }, "Type the start of a user's id, or take one of these: ", ...buttons)] : [];
}

function complain(problem) {
  if (problem.status !== 401) {
    byId("page-error").textContent = problem.message;
    return;
  }
  byId("token-form").hidden = false;
  byId("token-error").textContent = token.get() === null ? "" : "The server does not take this token.";
  byId("token").focus();
}

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token.set(byId("token").value);
  byId("token").value = "";
  show();
});
byId("half-life").addEventListener("change", () => go({ ...read(location.hash), halfLife: byId("half-life").value }));
arm.changed((name) => go({ ...read(location.hash), arm: name }));
tabs((tab) => go(tab === "retrieve" ? asked : { ...asked, asked: false, tab }));
addEventListener("hashchange", show);
show();
