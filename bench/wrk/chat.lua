-- A new prompt in each request, always of the same length; with BENCH_PROMPTS the same so many in turn.
-- BENCH_KEY, BENCH_BODY (bytes), BENCH_RUN and BENCH_DIALECT (chat, messages, responses, gemini) come from
-- the environment, too.
local size = tonumber(os.getenv("BENCH_BODY"))
local prompts = tonumber(os.getenv("BENCH_PROMPTS") or "1e12")
local count = 0
local head, before, after

-- What stands before the prompt and behind it, by dialect.
local SYSTEM = '"You are a helpful assistant."'
local BODIES = {
  chat = {
    '{"model":"mock-0","messages":[{"role":"system","content":' .. SYSTEM .. '},{"role":"user","content":"',
    '"}],"temperature":0,"max_tokens":128}',
  },
  messages = {
    '{"model":"mock-messages","system":' .. SYSTEM .. ',"messages":[{"role":"user","content":"',
    '"}],"temperature":0,"max_tokens":128}',
  },
  -- A stored one is written twice by the sinks, which is no cost of passing it through.
  responses = {
    '{"model":"mock-0","store":false,"instructions":' .. SYSTEM .. ',"input":[{"role":"user","content":"',
    '"}],"temperature":0,"max_output_tokens":128}',
  },
  gemini = {
    '{"systemInstruction":{"parts":[{"text":' .. SYSTEM .. '}]},"contents":[{"role":"user","parts":[{"text":"',
    '"}]}],"generationConfig":{"temperature":0,"maxOutputTokens":128}}',
  },
}

function init()
  local body = BODIES[os.getenv("BENCH_DIALECT") or "chat"]
  before = body[1] .. "Request " .. os.getenv("BENCH_RUN") .. "-"
  after = ": sum up the note that follows. "
  local rest = body[2]
  local filler = "The committee met on Monday and asked for a new forecast by the end of the week. "
  local missing = size - #before - 12 - #after - #rest
  after = after .. string.rep(filler, math.ceil(missing / #filler)):sub(1, math.max(missing, 0)) .. rest
  head = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port
    .. "\r\nContent-Type: application/json\r\nAuthorization: Bearer " .. os.getenv("BENCH_KEY")
    .. "\r\nContent-Length: " .. (#before + 12 + #after) .. "\r\n\r\n" .. before
end

function request()
  count = count % prompts + 1
  return head .. string.format("%012d", count) .. after
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"errors":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
