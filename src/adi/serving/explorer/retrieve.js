// What the server answers to a state, with the attributes of the items and the history of the user, as the arm knows them
// that answered. A person looks at it and no user does: a preview is not logged as an exposure.

import { ask } from "./api.js";
import { attributesOf } from "./attributes.js";

export async function retrieve(state, display) {
  const who = state.history === null ? { user: state.user || null } : { history: state.history };
  const body = { ...who, context: state.context, filter: state.filter || null, explain: true, preview: true };
  if (state.k !== "") body.k = Number(state.k);
  if (state.bid !== "") body.bid_weight = Number(state.bid);
  const answer = await ask("v1/retrieve", body, state.arm || null);
  const [{ version, arm, domains, ignored, without_events: withoutEvents, without_trends: withoutTrends }] = answer.results;
  const past = state.history === null ? await pastOf(state.user, arm) : null;
  const own = (domain) => (past?.history ?? []).filter((event) => event.domain === domain).map((event) => event.item);
  const wanted = Object.entries(domains).map(([domain, { items }]) => [domain, [...items, ...own(domain)]]);
  const about = await attributesOf(Object.fromEntries(wanted), arm, display);
  return { version, arm, domains, ignored, withoutEvents, withoutTrends, past, ...about };
}

async function pastOf(user, arm) {
  try {
    return await ask(`v1/users/${encodeURIComponent(user)}`, undefined, arm);
  } catch (problem) {
    if (problem.status !== 404) throw problem;
    return null; // a user named . or .. has no path of their own, and is shown without a history
  }
}
