-- wrk posts the bodies of a file in turn, and prints what came of it as one line of JSON.
-- The file: for each body its length, four bytes with the highest first, and the body. The second argument: its type.
local requests, turn = {}, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local content = file:read("*a")
  file:close()
  local headers = { ["Content-Type"] = args[2] }
  local at = 1
  while at <= #content do
    local a, b, c, d = content:byte(at, at + 3)
    local length = ((a * 256 + b) * 256 + c) * 256 + d
    requests[#requests + 1] = wrk.format("POST", nil, headers, content:sub(at + 4, at + 3 + length))
    at = at + 4 + length
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency, _)
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "seconds": %.3f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
