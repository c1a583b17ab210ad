-- Argo CD health of a SpeculativeDeployment. A healthy service with speculation switched off is Healthy: whether speculation
-- pays is a performance decision, and no sync should wait for it.
local health = { status = "Progressing", message = "Waiting for the operator" }

local function condition(kind)
  if obj.status ~= nil and obj.status.conditions ~= nil then
    for _, found in ipairs(obj.status.conditions) do
      if found.type == kind then return found end
    end
  end
  return nil
end

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health
end

local stalled = condition("Stalled")
if stalled ~= nil and stalled.status == "True" then
  health.status = "Degraded"
  health.message = stalled.reason .. ": " .. stalled.message
  return health
end

local reconciling = condition("Reconciling")
if reconciling ~= nil and reconciling.status == "True" then
  health.message = reconciling.message
  return health
end

local ready = condition("Ready")
if ready == nil then
  return health
end
health.message = ready.message
if ready.status == "True" then
  health.status = "Healthy"
  if obj.spec.policy ~= nil and obj.spec.policy.paused then
    health.status = "Suspended"
    health.message = "spec.policy.paused is true"
  end
end
return health
