// What OpenAI's SDK for Node makes of every scenario, by name, as a line of JSON; all run at once.
// node openai.mjs BASE_URL KEY MODEL
import OpenAI, { toFile } from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${baseURL}/v1`, apiKey, maxRetries: 0, timeout: 30_000 });
const PIXEL =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const named = (name) => ({ type: "function", function: { name, parameters } });
const flat = (name) => ({ type: "function", name, parameters, strict: true });
const user = (content) => ({ role: "user", content });
const Place = z.object({ city: z.string(), people: z.number(), capital: z.boolean() });

// What the SDK throws, as a caller can tell one error from another.
async function caught(work) {
  try {
    return { answered: await work() };
  } catch (error) {
    const { status, code, param, type, requestID, headers } = error;
    return {
      kind: error.constructor.name,
      isAPIError: error instanceof OpenAI.APIError,
      message: error.message,
      status: status ?? null,
      code: code ?? null,
      param: param ?? null,
      type: type ?? null,
      requestID: requestID ?? null,
      retryAfter: headers?.get("retry-after") ?? null,
    };
  }
}

const chat = (messages, more = {}, options = {}) =>
  client.chat.completions.create({ model, messages, ...more }, options);

const SCENARIOS = {
  async plain() {
    const { data, request_id, response } = await chat([user("Hello from Node")]).withResponse();
    return { ...data, request_id, provider: response.headers.get("sluice-provider") };
  },

  async stream() {
    const stream = await chat([user("Hello from Node")], {
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return chunks;
  },

  async helper() {
    const stream = client.chat.completions.stream({ model, messages: [user("Hello from the helper")] });
    const pieces = [];
    stream.on("content", (piece) => pieces.push(piece));
    return { pieces, final: await stream.finalChatCompletion() };
  },

  async tools() {
    const cities = [];
    const runner = client.chat.completions.runTools({
      model,
      messages: [user("How is it there? [sim-tool]")],
      tools: [
        {
          type: "function",
          function: {
            name: "get_weather",
            parameters,
            parse: JSON.parse,
            function: ({ city }) => (cities.push(city), `Sunny in ${city}`),
          },
        },
      ],
    });
    return { final: await runner.finalContent(), cities, messages: runner.messages };
  },

  async parallel() {
    const messages = [user("Two of them [sim-tools-2]")];
    const tools = [named("get_weather"), named("get_time")];
    const stream = client.chat.completions.stream({ model, messages, tools });
    const { choices } = await stream.finalChatCompletion();
    const { tool_calls } = choices[0].message;
    const results = tool_calls.map(({ id, function: { name } }) => ({
      role: "tool",
      tool_call_id: id,
      content: `result of ${name}`,
    }));
    const answer = await chat([...messages, choices[0].message, ...results], { tools });
    return { reason: choices[0].finish_reason, tool_calls, answer: answer.choices[0].message };
  },

  async structured() {
    const { choices } = await client.chat.completions.parse({
      model,
      messages: [user("A place")],
      response_format: zodResponseFormat(Place, "place"),
    });
    return choices[0].message.parsed;
  },

  async image() {
    const parts = [
      { type: "text", text: "Look" },
      { type: "image_url", image_url: { url: PIXEL } },
    ];
    return (await chat([user(parts)])).choices[0].message;
  },

  async errors() {
    const wrong = new OpenAI({ baseURL: `${baseURL}/v1`, apiKey: "wrong", maxRetries: 0 });
    const ask = (content, more) => caught(() => chat([user(content)], more));
    return {
      key: await caught(() => wrong.chat.completions.create({ model, messages: [user("x")] })),
      model: await ask("x", { model: "nobodys-model" }),
      messages: await caught(() => chat([])),
      // Models of their own: the gateway leaves one alone for a while that failed or reached its limit.
      limited: await ask("[sim-status-429-retry-7]", { model: `${model}-limited` }),
      failed: await ask("[sim-status-500]", { model: `${model}-failing` }),
      cut: await caught(async () => {
        const words = [];
        try {
          const stream = await chat([user("[sim-lorem-9-error-3]")], { stream: true, model: `${model}-cut` });
          for await (const { choices } of stream) words.push(choices[0]?.delta?.content ?? "");
        } catch (error) {
          error.message = `${words.join("")}|${error.message}`;
          throw error;
        }
        return words;
      }),
    };
  },

  async timeout() {
    const headers = { "x-request-id": `node-timeout-${model}` };
    return caught(() => chat([user("[sim-hang]")], {}, { timeout: 700, headers }));
  },

  async cancel() {
    const headers = { "x-request-id": `node-cancel-${model}` };
    const controller = new AbortController();
    const options = { headers, signal: controller.signal };
    const stream = await chat([user("[sim-20-lorem-5000]")], { stream: true }, options);
    let words = 0;
    for await (const { choices } of stream) {
      if (choices[0]?.delta?.content && (words += 1) === 3) controller.abort();
    }
    return { words };
  },

  async abort() {
    const headers = { "x-request-id": `node-abort-${model}` };
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 700);
    return caught(() => chat([user("[sim-hang]")], {}, { headers, signal: controller.signal }));
  },

  async responses() {
    const plain = await client.responses.create({ model, input: "Hello from Node" });
    const types = [];
    const stream = client.responses.stream({ model, input: "Hello from Node" });
    stream.on("event", ({ type }) => types.push(type));
    const streamed = await stream.finalResponse();
    // OpenAI keeps its own responses, which its simulation does not.
    const next = model.startsWith("openai/")
      ? plain
      : await client.responses.create({
          model,
          input: "And again",
          previous_response_id: plain.id,
        });
    return {
      plain: plain.output_text,
      streamed: streamed.output_text,
      types,
      next: next.output_text,
      kept: (await client.responses.retrieve(plain.id)).output_text,
    };
  },

  async responses_tools() {
    const input = [user("Two of them [sim-tools-2]")];
    const tools = [flat("get_weather"), flat("get_time")];
    const { output } = await client.responses.stream({ model, input, tools }).finalResponse();
    const calls = output.filter(({ type }) => type === "function_call");
    const results = calls.map(({ call_id, name }) => ({
      type: "function_call_output",
      call_id,
      output: `result of ${name}`,
    }));
    const kept = output.map(({ parsed_arguments, ...item }) => item);
    const answer = await client.responses.create({ model, input: [...input, ...kept, ...results], tools });
    const parsed = await client.responses.parse({
      model,
      input: "A place",
      text: { format: zodTextFormat(Place, "place") },
    });
    return { calls, answer: answer.output_text, parsed: parsed.output_parsed };
  },

  async others() {
    const embeddings = await client.embeddings.create({
      model: "openai/text-embedding-3-small",
      input: ["one", "two", "one"],
    });
    const file = await client.files.create(
      { file: await toFile(Buffer.from('{"a": 1}\n'), "a.jsonl"), purpose: "batch" },
      { query: { provider: "openai" } },
    );
    const content = await (await client.files.content(file.id)).text();
    const models = [];
    for await (const { id } of client.models.list()) models.push(id);
    return { vectors: embeddings.data.map(({ embedding }) => embedding), file, content, models };
  },
};

const run = ([name, work]) =>
  work().then(
    (found) => [name, { found }],
    (error) => [name, { error: error.stack }],
  );
const told = await Promise.all(Object.entries(SCENARIOS).map(run));
console.log(JSON.stringify(Object.fromEntries(told)));
