-- requests.lua - the requests of one operation for wrk, each another one; what came back as JSON.
-- SPDX-License-Identifier: Apache-2.0
-- BENCH_OP is GET, LIST, PATCH, POST or a path to fetch; BENCH_TOKEN, BENCH_ROWS as they say.
local op = os.getenv('BENCH_OP')
local rows = tonumber(os.getenv('BENCH_ROWS'))
local admin = { Authorization = 'Bearer ' .. (os.getenv('BENCH_TOKEN') or '') }
local json = { ['Content-Type'] = 'application/json' }
local statuses = { 'open', 'pending', 'resolved', 'closed' }
local serial = 0

function init()
  math.randomseed(tonumber(os.getenv('BENCH_SEED')))
end

local function path()
  return string.format('/help-support/0198c1f2-0000-7000-8000-%012x', math.random(rows))
end

local make = {
  GET = function() return wrk.format('GET', path(), admin) end,
  LIST = function() return wrk.format('GET', '/help-support?skip=0&limit=100', admin) end,
  PATCH = function()
    return wrk.format('PATCH', path() .. '/status?status=' .. statuses[math.random(4)], admin)
  end,
  POST = function()
    serial = serial + 1
    local n = math.random(999999999)
    return wrk.format('POST', '/help-support/user' .. n % 1000, json, string.format(
      '{"name":"Customer Number %d","phone_number":"+1-555-%07d","email":"customer%d@example.org",'
      .. '"message":"Ticket %d.%d: my order has not arrived yet, the tracking page shows no news '
      .. 'since last week. Could you please look into it?"}', n, n % 10000000, n, n, serial))
  end,
}

request = make[op] or function() return wrk.format('GET', op) end

function done(summary, latency)
  local errors = summary.errors
  io.stderr:write(string.format(
    '{"requests":%d,"us":%d,"p50":%d,"p99":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
