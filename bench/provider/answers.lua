-- A model's name is its speed: mock-20 waits 20 ms before a whole answer, and before each chunk of a
-- stream: the role, 30 words, the finish reason.
local answers = {}

local WORDS = 30
local MODELS = { 0, 5, 20, 50 }
local TEXT = string.rep("An answer of fixed length, so that every run moves the same bytes. ", 5)
local served = 0

local function chunk(model, choices, usage)
  return 'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1764000000,"model":"'
    .. model .. '","system_fingerprint":"fp_bench","choices":[' .. choices .. "]" .. usage .. "}\n\n"
end

local function choice(delta, finish)
  return '{"index":0,"delta":' .. delta .. ',"logprobs":null,"finish_reason":' .. finish .. "}"
end

local function prepared(delay)
  local model = "mock-" .. delay
  local chunks = { chunk(model, choice('{"role":"assistant","content":""}', "null"), "") }
  for word = 1, WORDS do
    chunks[#chunks + 1] =
      chunk(model, choice(string.format('{"content":"word%02d "}', word), "null"), "")
  end
  chunks[#chunks + 1] = chunk(model, choice("{}", '"stop"'), "")
  return {
    seconds = delay / 1000,
    chunks = chunks,
    usage = chunk(model, "", ',"usage":{"prompt_tokens":50,"completion_tokens":30,"total_tokens":80}'),
    whole = '{"id":"chatcmpl-bench","object":"chat.completion","created":1764000000,"model":"' .. model
      .. '","choices":[{"index":0,"message":{"role":"assistant","content":"' .. TEXT
      .. '","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":50,'
      .. '"completion_tokens":60,"total_tokens":110},"system_fingerprint":"fp_bench"}\n',
  }
end

local models = {}
for _, delay in ipairs(MODELS) do
  models["mock-" .. delay] = prepared(delay)
end

local function body()
  ngx.req.read_body()
  local data = ngx.req.get_body_data()
  if not data then
    local file = assert(io.open(ngx.req.get_body_file(), "rb"))
    data = file:read("*a")
    file:close()
  end
  return data
end

local function stream(model, with_usage)
  ngx.header["Content-Type"] = "text/event-stream"
  for _, data in ipairs(model.chunks) do
    if model.seconds > 0 then
      ngx.sleep(model.seconds)
    end
    ngx.print(data)
    if not ngx.flush(true) then
      return
    end
  end
  if with_usage then
    ngx.print(model.usage)
  end
  ngx.print("data: [DONE]\n\n")
end

function answers.chat()
  local data = body()
  local model = models[string.match(data, '"model"%s*:%s*"([^"]+)"') or ""]
  if not model then
    ngx.status = 404
    ngx.print('{"error":{"message":"no such model","type":"invalid_request_error","code":"model_not_found"}}')
    return
  end
  served = served + 1
  if string.find(data, '"stream"%s*:%s*true') then
    stream(model, string.find(data, '"include_usage"%s*:%s*true'))
    return
  end
  if model.seconds > 0 then
    ngx.sleep(model.seconds)
  end
  ngx.header["Content-Length"] = #model.whole
  ngx.print(model.whole)
end

-- The same text in the other dialects, whole.
local OTHERS = {
  messages = '{"id":"msg_bench","type":"message","role":"assistant","model":"mock-messages","content":[{"type":'
    .. '"text","text":"' .. TEXT .. '"}],"stop_reason":"end_turn","stop_sequence":null,"usage":'
    .. '{"input_tokens":50,"output_tokens":60}}\n',
  responses = '{"id":"resp_bench","object":"response","created_at":1764000000,"status":"completed","model":'
    .. '"mock-0","output":[{"type":"message","id":"msg_bench","status":"completed","role":"assistant",'
    .. '"content":[{"type":"output_text","text":"' .. TEXT .. '","annotations":[]}]}],"store":false,"usage":'
    .. '{"input_tokens":50,"output_tokens":60,"total_tokens":110}}\n',
  gemini = '{"candidates":[{"content":{"role":"model","parts":[{"text":"' .. TEXT .. '"}]},"finishReason":"STOP",'
    .. '"index":0}],"usageMetadata":{"promptTokenCount":50,"candidatesTokenCount":60,"totalTokenCount":110},'
    .. '"modelVersion":"mock-gemini"}\n',
}

function answers.other(dialect)
  body()
  served = served + 1
  ngx.header["Content-Length"] = #OTHERS[dialect]
  ngx.print(OTHERS[dialect])
end

function answers.gemini_models()
  ngx.print('{"models":[{"name":"models/mock-gemini","displayName":"mock-gemini"}]}')
end

function answers.models()
  if ngx.req.get_headers()["anthropic-version"] then
    ngx.print('{"data":[{"type":"model","id":"mock-messages","display_name":"mock-messages"}],"has_more":false}')
    return
  end
  local names = {}
  for name in pairs(models) do
    names[#names + 1] = '{"id":"' .. name .. '","object":"model","created":1764000000,"owned_by":"bench"}'
  end
  ngx.print('{"object":"list","data":[' .. table.concat(names, ",") .. "]}")
end

-- How many requests really came: shows retries and answers that were not asked for.
function answers.served()
  ngx.print(served)
end

return answers
