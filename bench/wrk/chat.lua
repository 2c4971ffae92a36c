-- A new prompt in each request, always of the same length. BENCH_KEY, BENCH_BODY (bytes) and BENCH_RUN
-- come from the environment.
local size = tonumber(os.getenv("BENCH_BODY"))
local count = 0
local head, before, after

function init()
  before = '{"model":"mock-0","messages":[{"role":"system","content":"You are a helpful assistant."},'
    .. '{"role":"user","content":"Request ' .. os.getenv("BENCH_RUN") .. "-"
  after = ": sum up the note that follows. "
  local rest = '"}],"temperature":0,"max_tokens":128}'
  local filler = "The committee met on Monday and asked for a new forecast by the end of the week. "
  local missing = size - #before - 12 - #after - #rest
  after = after .. string.rep(filler, math.ceil(missing / #filler)):sub(1, math.max(missing, 0)) .. rest
  head = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port
    .. "\r\nContent-Type: application/json\r\nAuthorization: Bearer " .. os.getenv("BENCH_KEY")
    .. "\r\nContent-Length: " .. (#before + 12 + #after) .. "\r\n\r\n" .. before
end

function request()
  count = count + 1
  return head .. string.format("%012d", count) .. after
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"errors":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
