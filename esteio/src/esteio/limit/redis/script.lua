-- Decides a whole batch: what esteio.limit._algorithms does, in the doubles of Lua, to the same digit.
--
-- Keys: KEYS, or in a Cluster ARGV from the 4th on (all of them belong to this node, not all to one slot).
-- ARGV[1] limits, ARGV[2] hits, ARGV[3] the time in microseconds (tests only; otherwise empty: TIME).
-- Answer: for each hit allowed (1 byte), remaining, reset, retry (8 bytes each). Nothing is written before all of
-- it is decided, so that a script that fails has changed nothing.

local unpack, pack, floor, ceil, max, min = struct.unpack, struct.pack, math.floor, math.ceil, math.max, math.min
local NEVER = -1
local EXACT = 9007199254740992

-- window: base, then (time, sum) for each cell

local window = {fits = function(size) return size >= 24 and (size - 8) % 16 == 0 end}
local FULL = 8 + 16 * 64
local REBASE = 1099511627776

local function current(s, now, per)
  local last, sum = unpack('<dd', s, #s - 15)
  if last > now + per then return pack('<ddd', unpack('<d', s), now, sum) end
  local edge = now - per
  if last <= edge then return '' end
  local first = 9
  while unpack('<d', s, first) <= edge do first = first + 16 end
  local base = unpack('<d', s, first - 8)
  if base < REBASE then return string.sub(s, first - 8) end
  local cells = {pack('<d', 0)}
  for at = first, #s, 16 do
    local time, upto = unpack('<dd', s, at)
    cells[#cells + 1] = pack('<dd', time, upto - base)
  end
  return table.concat(cells)
end

local function added(s, now, total, grain)
  local last = unpack('<d', s, #s - 15)
  if now <= last then return string.sub(s, 1, -9) .. pack('<d', total), last end
  local cell = pack('<dd', now, total)
  if (now - last < grain and floor(now / grain) == floor(last / grain)) or #s >= FULL then
    return string.sub(s, 1, -17) .. cell, now
  end
  return s .. cell, now
end

function window.decide(s, now, cost, limit)
  local rate, per = limit.rate, limit.per
  if s ~= '' and (unpack('<d', s, 9) <= now - per or unpack('<d', s, #s - 15) > now + per) then
    s = current(s, now, per)
  end
  if s == '' then
    if cost > rate then return s, false, rate, 0, NEVER end
    if cost == 0 then return s, true, rate, 0, 0 end
    return pack('<ddd', 0, now, cost), true, rate - cost, per, 0
  end
  local last, sum = unpack('<dd', s, #s - 15)
  local total = sum + cost
  local left = rate + unpack('<d', s) - total
  if left < 0 then
    local retry = NEVER
    if cost <= rate then
      local cell = 17
      while unpack('<d', s, cell) < total - rate do cell = cell + 16 end
      retry = unpack('<d', s, cell - 8) + per - now
    end
    return s, false, max(0, left + cost), last + per - now, retry
  end
  if cost > 0 then s, last = added(s, now, total, limit.grain) end
  return s, true, left, last + per - now, 0
end

function window.charge(s, now, cost, limit, age)
  if s ~= '' then s = current(s, now, limit.per) end
  if age >= limit.per then return s end
  if s == '' then return pack('<ddd', 0, now - age, cost) end
  s = added(s, now - age, unpack('<d', s, #s - 7) + cost, limit.grain)
  return s
end

function window.refund(s, now, cost, limit)
  if s ~= '' then s = current(s, now, limit.per) end
  if s == '' then return s end
  local base = unpack('<d', s) + cost
  if base >= unpack('<d', s, #s - 7) then return '' end
  local first = 9
  while unpack('<d', s, first + 8) <= base do first = first + 16 end
  return pack('<d', base) .. string.sub(s, first)
end

function window.ends(s, limit) return unpack('<d', s, #s - 15) + limit.per end

-- counter: start, used, used in the window before

local counter = {fits = function(size) return size == 24 end}

local function windows(s, now, per)
  if s == '' then return now, 0, 0 end
  local start, used, before = unpack('<ddd', s)
  local passed = now - start
  if passed >= 2 * per or (passed >= per and used == 0) then return now, 0, 0 end
  if passed >= per then return start + per, 0, used end
  if -passed > per then return now, used, before end
  return start, used, before
end

function counter.decide(s, now, cost, limit)
  local rate, per, grain = limit.rate, limit.per, limit.grain
  local start, used, before = windows(s, now, per)
  local grains = floor(per / grain)
  local counted = used
  if before > 0 then
    counted = used + ceil(before * min(grains, ceil((start + per - now) / grain)) / grains)
  end
  local left = rate - counted - cost
  local ends = used > 0 and start + 2 * per - now or before > 0 and start + per - now or 0
  if left < 0 then
    local retry = NEVER
    local kept = counted > 0 and pack('<ddd', start, used, before) or ''
    if cost <= rate then
      local room = rate - used - cost
      if room < 0 then start, before, room = start + per, used, rate - cost end
      retry = start + per - floor(room * grains / before) * grain - now
    end
    return kept, false, max(0, rate - counted), ends, retry
  end
  if cost == 0 then return s, true, left, ends, 0 end
  return pack('<ddd', start, used + cost, before), true, left, start + 2 * per - now, 0
end

function counter.charge(s, now, cost, limit, age)
  local per = limit.per
  if age >= 2 * per then return s end
  local start, used, before = windows(s, now, per)
  local at = now - age
  if used == 0 and before == 0 then return pack('<ddd', at, cost, 0) end
  if at >= start then used = used + cost
  elseif start - at <= per then before = before + cost end
  return pack('<ddd', start, used, before)
end

function counter.refund(s, now, cost, limit)
  local start, used, before = windows(s, now, limit.per)
  local older = min(before, cost)
  used, before = max(0, used - cost + older), before - older
  return (used > 0 or before > 0) and pack('<ddd', start, used, before) or ''
end

function counter.ends(s, limit)
  local start, used = unpack('<dd', s)
  return start + (used > 0 and 2 or 1) * limit.per
end

-- gcra: time, part, rate, per. What is in the bucket is counted in microseconds and a part of one in `rate`.

local gcra = {fits = function(size) return size == 32 end}

local function muldiv(a, b, c)  -- a * b / c, rounded down, and what remains; a * b itself would not be exact
  local digits, quotient, rest = {}, 0, 0
  while a > 0 do
    digits[#digits + 1] = a % 16
    a = floor(a / 16)
  end
  for i = #digits, 1, -1 do
    rest = rest * 16 + digits[i] * b
    quotient = quotient * 16 + floor(rest / c)
    rest = rest % c
  end
  return quotient, rest
end

local function steps(count, limit)
  local part = count * limit.step_part
  local whole = floor(part / limit.rate)
  return count * limit.step + whole, part - whole * limit.rate
end

local function hits(us, part, limit)  -- whole steps in so much time, rounded down
  local ticks = us * limit.rate + part
  if ticks < EXACT then return floor(ticks / limit.per) end
  local quotient, rest = muldiv(us, limit.rate, limit.per)
  return quotient + floor((rest + part) / limit.per)
end

local function less(us, part, us2, part2, rate)
  if part < part2 then return us - us2 - 1, part - part2 + rate end
  return us - us2, part - part2
end

local function more(us, part, us2, part2, rate)
  if part + part2 >= rate then return us + us2 + 1, part + part2 - rate end
  return us + us2, part + part2
end

local function bucket(s, now, limit)
  if s == '' then return 0, 0 end
  local time, part, rate, per = unpack('<dddd', s)
  local us = time - now
  if us < 0 then return 0, 0 end
  if rate ~= limit.rate or per ~= limit.per then
    local quotient, rest = muldiv(us, rate, per)
    local count = quotient + ceil((rest + part) / per)
    us, part = steps(min(count, limit.capacity + limit.rate), limit)
  end
  local most = limit.full + limit.per  -- more was another clock's time
  if us > most or (us == most and part > limit.full_part) then return most, limit.full_part end
  return us, part
end

local function kept(us, part, now, limit) return pack('<dddd', now + us, part, limit.rate, limit.per) end

local function emptied(us, part) return part > 0 and us + 1 or us end

function gcra.decide(s, now, cost, limit)
  local rate = limit.rate
  local us, part = bucket(s, now, limit)
  local room, room_part = less(limit.full, limit.full_part, us, part, rate)
  local left, left_part, retry = -1, 0, NEVER
  local step, step_part = 0, 0
  if cost <= limit.capacity then
    step, step_part = steps(cost, limit)
    left, left_part = less(room, room_part, step, step_part, rate)
    retry = -left
  end
  if left < 0 then
    return kept(us, part, now, limit), false, room < 0 and 0 or hits(room, room_part, limit), emptied(us, part), retry
  end
  if cost == 0 then return s, true, hits(left, left_part, limit), emptied(us, part), 0 end
  us, part = more(us, part, step, step_part, rate)
  return kept(us, part, now, limit), true, hits(left, left_part, limit), emptied(us, part), 0
end

function gcra.charge(s, now, cost, limit, age)
  local us, part = bucket(s, now, limit)
  if us > 0 or part > 0 then us = us + age
  elseif s ~= '' then  -- the moment at which it was empty does not depend on the definition of then
    local time, rest = unpack('<dd', s)
    us = max(0, time + (rest > 0 and 1 or 0) - now + age)
  end
  local step, step_part = steps(cost, limit)
  us, part = more(us, part, step, step_part, limit.rate)
  return kept(us, part, now - age, limit)
end

function gcra.refund(s, now, cost, limit)
  local us, part = bucket(s, now, limit)
  local step, step_part = steps(min(cost, limit.capacity + limit.rate), limit)
  us, part = less(us, part, step, step_part, limit.rate)
  return (us > 0 or (us == 0 and part > 0)) and kept(us, part, now, limit) or ''
end

function gcra.ends(s) return unpack('<d', s) + 1 end

-- fixed: start, used

local fixed = {fits = function(size) return size == 16 end}

local function period(s, now, per)
  if s == '' then return now, 0 end
  local start, used = unpack('<dd', s)
  if now - start >= per then return now, 0 end
  if start - now > per then return now, used end
  return start, used
end

function fixed.decide(s, now, cost, limit)
  local rate, per = limit.rate, limit.per
  local start, used = period(s, now, per)
  local ends = used > 0 and start + per - now or 0
  local left = rate - used - cost
  if left < 0 then
    local kept = used > 0 and pack('<dd', start, used) or ''
    return kept, false, max(0, rate - used), ends, cost > rate and NEVER or ends
  end
  if cost == 0 then return s, true, left, ends, 0 end
  return pack('<dd', start, used + cost), true, left, start + per - now, 0
end

function fixed.charge(s, now, cost, limit, age)
  if age >= limit.per then return s end
  local start, used = period(s, now, limit.per)
  if used == 0 then start = now - age end
  return pack('<dd', start, used + cost)
end

function fixed.refund(s, now, cost, limit)
  local start, used = period(s, now, limit.per)
  return used > cost and pack('<dd', start, used - cost) or ''
end

function fixed.ends(s, limit) return unpack('<d', s) + limit.per end

-- the batch

local rules = {window, counter, gcra, fixed}
local limits = {}
do
  local at, size, rule = 1, #ARGV[1]
  while at <= size do
    local l = {}
    rule, l.rate, l.per, l.capacity, l.grain, l.step, l.step_part, l.full, l.full_part, at =
      unpack('<Bdddddddd', ARGV[1], at)
    l.rule = rules[rule]
    l.decide = l.rule.decide
    limits[#limits + 1] = l
  end
end

local now = tonumber(ARGV[3])
local given = now
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local states, changed, answer = {}, {}, {}

local function key(k) return KEYS[k] or ARGV[k + 3] end

local function state(k, limit)
  local s = states[k]
  if not s then
    s = redis.pcall('GET', key(k))
    if type(s) ~= 'string' or not limit.rule.fits(#s) then
      if type(s) == 'table' and not string.find(s.err, 'WRONGTYPE', 1, true) then error(s.err, 0) end
      s = ''  -- absent, or not ours: it is overwritten
    end
    states[k] = s
  end
  return s
end

local function keep(k, s, limit) states[k], changed[k] = s, limit end

local function say(allowed, remaining, reset, retry)
  answer[#answer + 1] = pack('<Bi8i8i8', allowed and 1 or 0, remaining, reset, retry)
end

local DECIDE, PEEK, REFUND, RESET, CHARGE = 0, 1, 2, 3, 4  -- and RESTORE

local function amend(mode, k, limit, cost, age)
  local rule, s = limit.rule, state(k, limit)
  if mode == REFUND then s = rule.refund(s, now, cost, limit)
  elseif mode == RESET then s = ''
  elseif mode == CHARGE then s = rule.charge(s, now, cost, limit, age)
  else  -- at least `cost` was used then
    local _, _, remaining = rule.decide(s, now - age, 0, limit)
    local missing = cost - (limit.capacity - remaining)
    if missing > 0 then s = rule.charge(s, now, missing, limit, age) end
  end
  keep(k, s, limit)
  local _, allowed, remaining, reset, retry = rule.decide(s, now, 0, limit)
  say(allowed, remaining, reset, retry)
end

local function group(mode, members)
  local drafts, passed, verdicts = {}, true, {}
  for i, m in ipairs(members) do
    local s, allowed, remaining, reset, retry =
      m.limit.decide(drafts[m.k] or state(m.k, m.limit), now, m.cost, m.limit)
    drafts[m.k] = s
    passed = passed and allowed
    verdicts[i] = {allowed, remaining, reset, retry}
  end
  local charged = passed and mode == DECIDE
  for i, m in ipairs(members) do
    local v = verdicts[i]
    if charged then keep(m.k, drafts[m.k], m.limit)
    elseif v[1] then
      local _, _, remaining, reset = m.limit.decide(state(m.k, m.limit), now, 0, m.limit)
      v = {true, remaining, reset, 0}
    end
    say(v[1], v[2], v[3], v[4])
  end
end

local at, size = 1, #ARGV[2]
while at <= size do
  local mode, follows, k, l, cost
  mode, follows, k, l, cost, at = unpack('<BBHHI', ARGV[2], at)
  local limit = limits[l]
  if mode > PEEK then
    local age
    age, at = unpack('<d', ARGV[2], at)
    amend(mode, k, limit, cost, age)
  elseif mode == DECIDE and follows == 0 then
    local s, allowed, remaining, reset, retry = limit.decide(state(k, limit), now, cost, limit)
    if allowed or s ~= states[k] then keep(k, s, limit) end
    say(allowed, remaining, reset, retry)
  else
    local members = {{k = k, limit = limit, cost = cost}}
    while follows > 0 do
      mode, follows, k, l, cost, at = unpack('<BBHHI', ARGV[2], at)
      members[#members + 1] = {k = k, limit = limits[l], cost = cost}
    end
    group(mode, members)
  end
end

for k, limit in pairs(changed) do
  local s = states[k]
  local left = s == '' and 0 or limit.rule.ends(s, limit) - now
  if left > 0 and given then
    redis.call('SET', key(k), s)  -- that time is not Redis' own, so nothing expires by it
  elseif left > 0 then
    redis.call('SET', key(k), s, 'PX', ceil(left / 1000))
  else
    redis.call('DEL', key(k))
  end
end

return table.concat(answer)
