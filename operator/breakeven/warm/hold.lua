-- Lets a request wait while no engine is awake and the supervisor has not closed the replica.
-- A queue of HAProxy's own needs a server that is full, and one request too many would reach an engine that sleeps.
local LONGEST_MS, POLL_MS = 600000, 10

core.register_action("hold", { "http-req" }, function(txn)
  local waited = 0
  while txn.f:nbsrv("a") + txn.f:nbsrv("b") + txn.f:nbsrv("closed") == 0 and waited < LONGEST_MS do
    core.msleep(POLL_MS)
    waited = waited + POLL_MS
  end
end, 0)
