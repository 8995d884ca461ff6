// What is shown, as the URL's fragment: a view can be shared, and Back goes to the one before.
//
// #retrieve?user=1&k=10&filter=bid+>+1&bid_weight=0.5&context.hour=9      #retrieve?history=3&history=99
// #trending?half_life=30m      #weights      #bundle?arm=new
//
// No element has such a name as its id: the browser would go there, and take the focus along.

export const TABS = ["retrieve", "trending", "weights", "bundle"];

export function read(hash) {
  const [name, query = ""] = split(hash.replace(/^#/, ""));
  const values = new URLSearchParams(query);
  const context = {};
  for (const [key, value] of values) if (key.startsWith("context.")) context[key.slice(8)] = value;
  return {
    tab: TABS.includes(name) ? name : TABS[0],
    asked: values.has("user") || values.has("new") || values.has("history"),
    user: values.get("user") ?? "",
    history: values.has("new") || values.has("history") ? values.getAll("history") : null,
    k: values.get("k") ?? "10",
    filter: values.get("filter") ?? "",
    bid: values.get("bid_weight") ?? "",
    halfLife: values.get("half_life") ?? "",
    arm: values.get("arm") ?? "",
    context,
  };
}

export function write(state) {
  const values = new URLSearchParams();
  if (state.asked) {
    if (state.history === null) values.set("user", state.user);
    else if (state.history.length === 0) values.set("new", "");
    for (const item of state.history ?? []) values.append("history", item);
    values.set("k", state.k);
    if (state.filter) values.set("filter", state.filter);
    if (state.bid) values.set("bid_weight", state.bid);
    for (const [name, value] of Object.entries(state.context)) values.set(`context.${name}`, value);
  }
  if (state.tab === "trending" && state.halfLife) values.set("half_life", state.halfLife);
  if (state.arm) values.set("arm", state.arm);
  const query = values.toString();
  return `#${state.tab}${query ? `?${query}` : ""}`;
}

function split(text) {
  const at = text.indexOf("?");
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
