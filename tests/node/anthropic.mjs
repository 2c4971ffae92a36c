// What Anthropic's SDK for Node makes of every scenario, by name, as a line of JSON; all run at once.
// node anthropic.mjs BASE_URL KEY MODEL
import Anthropic from "@anthropic-ai/sdk";

const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new Anthropic({ baseURL, apiKey, maxRetries: 0, timeout: 30_000 });
const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const input_schema = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const tools = [
  { name: "get_weather", description: "The weather", input_schema },
  { name: "get_time", description: "The time", input_schema },
];
const user = (content) => ({ role: "user", content });
const asked = (content, more = {}) => ({ model, max_tokens: 4096, messages: [user(content)], ...more });

// What the SDK throws, as a caller can tell one error from another.
async function caught(work) {
  try {
    return { answered: await work() };
  } catch (error) {
    return {
      kind: error.constructor.name,
      isAPIError: error instanceof Anthropic.APIError,
      message: error.message,
      status: error.status ?? null,
      body: error.error ?? null,
      retryAfter: error.headers?.get("retry-after") ?? null,
    };
  }
}

const SCENARIOS = {
  plain: () => client.messages.create(asked("Hello from Node")),

  async stream() {
    const types = [];
    const pieces = [];
    const stream = client.messages.stream(asked("Hello from Node"));
    stream.on("streamEvent", ({ type }) => types.push(type));
    stream.on("text", (piece) => pieces.push(piece));
    return { final: await stream.finalMessage(), types, pieces };
  },

  async parallel() {
    const first = asked("Two of them [sim-tools-2]", { tools });
    const { content, stop_reason } = await client.messages.stream(first).finalMessage();
    const calls = content.filter(({ type }) => type === "tool_use");
    const results = calls.map(({ id, name }) => ({
      type: "tool_result",
      tool_use_id: id,
      content: `result of ${name}`,
    }));
    const messages = [...first.messages, { role: "assistant", content }, user(results)];
    return { stop_reason, calls, answer: await client.messages.create({ ...first, messages }) };
  },

  tools: () =>
    client.messages.create(
      asked("The weather", { tools, tool_choice: { type: "tool", name: "get_time" } }),
    ),

  async structured() {
    const schema = {
      type: "object",
      properties: { city: { type: "string" }, people: { type: "integer" } },
      required: ["city", "people"],
      additionalProperties: false,
    };
    const format = { type: "json_schema", schema };
    const { content } = await client.messages.create(
      asked("A place", { output_config: { format } }),
    );
    return JSON.parse(content.find(({ type }) => type === "text").text);
  },

  image: () =>
    client.messages.create(
      asked([
        { type: "text", text: "Look" },
        { type: "image", source: { type: "base64", media_type: "image/png", data: PIXEL } },
      ]),
    ),

  async thinking() {
    const more = { thinking: { type: "enabled", budget_tokens: 2048, display: "summarized" } };
    const first = asked("Think of it", more);
    const { content } = await client.messages.stream(first).finalMessage();
    const messages = [...first.messages, { role: "assistant", content }, user("Go on")];
    return { content, next: await client.messages.create({ ...first, messages }) };
  },

  async errors() {
    const wrong = new Anthropic({ baseURL, apiKey: "wrong", maxRetries: 0 });
    const ask = (content, more) => caught(() => client.messages.create(asked(content, more)));
    return {
      key: await caught(() => wrong.messages.create(asked("x"))),
      model: await ask("x", { model: "nobodys-model" }),
      messages: await ask("x", { messages: [] }),
      // Models of their own: the gateway leaves one alone for a while that failed or reached its limit.
      limited: await ask("[sim-status-429-retry-7]", { model: `${model}-limited` }),
      failed: await ask("[sim-status-500]", { model: `${model}-failing` }),
      cut: await caught(() =>
        client.messages.stream(asked("[sim-lorem-9-error-3]", { model: `${model}-cut` })).finalMessage(),
      ),
    };
  },

  async timeout() {
    const options = { timeout: 700, headers: { "x-request-id": `node-a-timeout-${model}` } };
    return caught(() => client.messages.create(asked("[sim-hang]"), options));
  },

  async cancel() {
    const headers = { "x-request-id": `node-a-cancel-${model}` };
    const stream = client.messages.stream(asked("[sim-20-lorem-5000]"), { headers });
    let words = 0;
    stream.on("text", () => (words += 1) === 3 && stream.abort());
    return { ...(await caught(() => stream.finalMessage())), words };
  },

  async others() {
    const models = [];
    for await (const { id } of client.models.list({ limit: 5 })) models.push(id);
    return { models, tokens: await client.messages.countTokens({ model, messages: [user("One two")] }) };
  },
};

const run = ([name, work]) =>
  work().then(
    (found) => [name, { found }],
    (error) => [name, { error: error.stack }],
  );
const told = await Promise.all(Object.entries(SCENARIOS).map(run));
console.log(JSON.stringify(Object.fromEntries(told)));
