// The form of the tab Retrieve: from its fields to a state and back, and each fault beside its field.

import { ask } from "./api.js";
import { byId, make } from "./elements.js";
import { suggest } from "./suggest.js";

const FIELDS = ["who", "k", "bid", "filter", "context", "ask"];

// How a problem's detail begins, and the field that it is about.
const ABOUT = [
  [/^filter/, "filter"], [/^context/, "context"], [/^k:/, "k"], [/^bid_weight/, "bid"], [/^((no )?user|history)/, "who"],
];

export class Form {
  // `go` is told that a state is asked for.
  constructor(go) {
    this.history = [];
    this.go = go;
    const fail = (problem) => this.complain(problem);
    this.closeUsers = suggest(byId("user"), {
      find: async (text) => (await ask(`v1/users?${new URLSearchParams({ prefix: text })}`)).users,
      choose: (id) => { byId("user").value = id; this.go(); },
      fail,
    });
    this.closeItems = suggest(byId("item"), {
      find: async (text) => (await ask(`v1/items?${new URLSearchParams({ prefix: text })}`)).items,
      choose: (id) => this.add([id]),
      fail,
    });
    byId("ask").addEventListener("submit", (event) => {
      event.preventDefault();
      this.closeUsers();
      this.take();
      this.go();
    });
    for (const one of this.choices()) one.addEventListener("change", () => this.choose(one.value));
    byId("item").addEventListener("input", () => {
      if (byId("item").value.includes(",")) this.take();
    });
    byId("item").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && byId("item").value) {
        event.preventDefault();
        this.take();
      } else if (event.key === "Backspace" && !byId("item").value && this.history.length) {
        this.history.pop();
        this.draw();
      }
    });
  }

  choices() {
    return document.querySelectorAll("input[name=who]");
  }

  choose(who) {
    for (const one of this.choices()) one.checked = one.value === who;
    byId("known").hidden = who !== "user";
    byId("new").hidden = who === "user";
  }

  // What has been typed for the history becomes items of it.
  take() {
    const typed = byId("item").value.split(",").map((text) => text.trim()).filter(Boolean);
    this.closeItems();
    this.add(typed);
  }

  add(items) {
    this.history.push(...items);
    byId("item").value = "";
    this.draw();
  }

  draw() {
    byId("chips").replaceChildren(...this.history.map((item, place) => {
      const button = make("button", { type: "button", "aria-label": `Leave out ${item}` }, "×");
      button.addEventListener("click", () => {
        this.history.splice(place, 1);
        this.draw();
        byId("item").focus();
      });
      return make("li", {}, make("span", { class: "id" }, item), button);
    }));
  }

  // A field for each context feature, and what a filter may ask for; and one for bids where there are any.
  fit(about) {
    byId("bids").hidden = about.bid === null;
    byId("context").hidden = about.context.length === 0;
    const old = this.context();
    byId("context-fields").replaceChildren(...about.context.map((feature, place) => {
      const id = `context-${place}`;
      const values = make("datalist", { id: `${id}-values` }, ...feature.values.map((value) => make("option", { value })));
      const input = make("input", { id, type: "text", list: values.id, spellcheck: "false", "aria-describedby": "context-error" });
      if (feature.number) input.setAttribute("inputmode", "decimal");
      input.dataset.feature = feature.name;
      input.value = old[feature.name] ?? "";
      return make("div", { class: "field short" }, make("label", { for: id }, feature.name), input, values);
    }));
    const names = [...new Set(Object.values(about.attributes).flat())];
    byId("filter-hint").textContent = names.length
      ? `A condition on ${names.join(", ")}, such as ${names.at(-1)} is not null`
      : "The items of this bundle have no attributes.";
  }

  context() {
    const inputs = [...document.querySelectorAll("#context-fields input")];
    return Object.fromEntries(inputs.filter((one) => one.value).map((one) => [one.dataset.feature, one.value]));
  }

  state() {
    const known = byId("new").hidden;
    return {
      tab: "retrieve",
      asked: true,
      user: byId("user").value,
      history: known ? null : [...this.history],
      k: byId("k").value,
      filter: byId("filter").value.trim(),
      bid: byId("bids").hidden ? "" : byId("bid").value,
      context: this.context(),
    };
  }

  show(state) {
    if (state.asked) this.choose(state.history === null ? "user" : "history");
    if (state.history === null) byId("user").value = state.user;
    this.history = [...(state.history ?? this.history)];
    byId("k").value = state.k;
    byId("filter").value = state.filter;
    byId("bid").value = state.bid;
    for (const input of document.querySelectorAll("#context-fields input")) {
      input.value = state.context[input.dataset.feature] ?? "";
    }
    this.draw();
    this.forgive();
  }

  forgive() {
    for (const name of FIELDS) byId(`${name}-error`).textContent = "";
    for (const input of byId("ask").querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  }

  // Say what is wrong beside the field that it is about.
  complain(problem) {
    const found = ABOUT.find(([words]) => words.test(problem.message));
    const name = found ? found[1] : "ask";
    byId(`${name}-error`).textContent = problem.message;
    for (const input of byId("ask").querySelectorAll(`input[aria-describedby~="${name}-error"]`)) {
      input.setAttribute("aria-invalid", "true");
    }
  }
}
