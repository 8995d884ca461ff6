// Requests to the server that this page came from, with its token where it asks for one.

const KEY = "adi-token";

export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
};

// The answer's JSON, from an arm of the experiment if one is named. Throws `Problem` with the server's words where it does
// not answer.
export async function ask(path, body, arm = null) {
  const headers = arm === null ? {} : { "X-Adi-Arm": arm };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token.get() !== null) headers.Authorization = `Bearer ${token.get()}`;
  const method = body === undefined ? "GET" : "POST";
  let reply;
  try {
    reply = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Problem(0, "The server does not answer. Is it still running?");
  }
  if (reply.ok) return reply.json();
  throw new Problem(reply.status, await detail(reply));
}

async function detail(reply) {
  try {
    return (await reply.json()).detail;
  } catch {
    return `The server answered ${reply.status} ${reply.statusText}, and not in words that this page understands.`;
  }
}
