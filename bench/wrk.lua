-- For run.py: `wrk ... -s wrk.lua URL -- DEPTH` sends DEPTH requests at a time, built once, and prints the result
-- as one line of JSON after wrk's own report.

local set_up = wrk.init

function wrk.init(args)
    set_up(args)  -- puts Host into the headers
    local depth = tonumber(args[1]) or 1
    local requests = string.rep(wrk.format(), depth)
    wrk.request = function() return requests end
end

function done(summary, latency)
    if summary.requests == 0 then return end
    local e = summary.errors
    io.write(string.format(
        '{"requests": %d, "seconds": %.3f, "requests_per_second": %.0f, "mean_us": %.1f, "p50_us": %.1f, "p99_us": %.1f, "errors": %d}\n',
        summary.requests, summary.duration / 1e6, summary.requests / (summary.duration / 1e6),
        latency.mean, latency:percentile(50), latency:percentile(99),
        e.connect + e.read + e.write + e.status + e.timeout))
end
