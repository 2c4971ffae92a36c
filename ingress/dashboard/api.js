// Calls of /admin/api/v1, with the key that the user gave. It is kept in this browser tab only.

const ROOT = new URL("../api/v1/", document.baseURI);
const KEY = "sluice-key";

export const key = () => sessionStorage.getItem(KEY) ?? "";
export function setKey(value) {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
}

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

function address(path, parameters = {}) {
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(parameters))
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
  return url;
}

async function request(method, path, { parameters, body, signal, version } = {}) {
  const headers = key() ? { authorization: `Bearer ${key()}` } : {};
  if (version) headers["if-match"] = version;
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await fetch(address(path, parameters), {
    method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) throw new ApiError(answer.status, await reason(answer));
  return answer;
}

async function reason(answer) {
  const text = await answer.text();
  try {
    const found = JSON.parse(text);
    return found.detail ?? found.error?.message ?? found.title ?? text;
  } catch {
    return text || answer.statusText;
  }
}

export async function get(path, parameters, signal) {
  return (await request("GET", path, { parameters, signal })).json();
}

// What stands there with its ETag, which `send` takes as `version`: what somebody else changed meanwhile is kept.
export async function getVersioned(path) {
  const answer = await request("GET", path);
  return { content: await answer.json(), version: answer.headers.get("etag") };
}

export async function send(method, path, body, version = null) {
  const answer = await request(method, path, { body, version });
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

export async function download(path, parameters, name) {
  const content = await (await request("GET", path, { parameters })).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

// Server-sent events by fetch, as EventSource can carry no key. Connects again until `signal` aborts.
export async function follow(path, onEvent, onState, signal) {
  while (!signal.aborted) {
    try {
      const answer = await request("GET", path, { signal });
      onState("connected");
      await read(answer.body.getReader(), onEvent);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status < 500) throw error;
    }
    onState("reconnecting");
    await new Promise((resolve) => setTimeout(resolve, 1500));
  }
}

async function read(reader, onEvent) {
  const decoder = new TextDecoder();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    held += decoder.decode(value, { stream: true });
    let end;
    while ((end = held.indexOf("\n\n")) >= 0) {
      const block = held.slice(0, end);
      held = held.slice(end + 2);
      let name = "message", data = "";
      for (const line of block.split("\n")) {
        if (line.startsWith("event:")) name = line.slice(6).trim();
        else if (line.startsWith("data:")) data += line.slice(5).trim();
      }
      if (data) onEvent(name, JSON.parse(data));
    }
  }
}
