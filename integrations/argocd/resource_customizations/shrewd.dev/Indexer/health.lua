-- Health of an Indexer, from its conditions alone: their types are public API, the phases and messages of pods are not.
-- The order is that of kstatus, so that Argo CD and Flux tell the same of one object. Needs no library but `table`.

local function verdict(status, message)
  return { status = status, message = message }
end

local function condition(name)
  for _, candidate in ipairs(obj.status.conditions) do
    if candidate.type == name then
      return candidate
    end
  end
  return nil
end

local function is_true(found)
  return found ~= nil and found.status == "True"
end

local function words(found)
  if found.message == nil or found.message == "" then
    return found.reason
  end
  return found.reason .. ": " .. found.message
end

-- The operator sets no finalizer, so whatever holds a deletion up was set by somebody else, who is named.
if obj.metadata.deletionTimestamp ~= nil then
  local finalizers = obj.metadata.finalizers
  if finalizers ~= nil and #finalizers > 0 then
    return verdict("Progressing", "is being deleted, held by the finalizers " .. table.concat(finalizers, ", "))
  end
  return verdict("Progressing", "is being deleted")
end

-- A status that speaks of an older spec, or of none (-1), says nothing about this one.
if obj.status == nil or obj.status.conditions == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return verdict("Progressing", "the operator has not reported on this generation yet")
end

local reconciling = condition("Reconciling")
if is_true(reconciling) then
  return verdict("Progressing", words(reconciling))
end

local stalled = condition("Stalled")
if is_true(stalled) then
  return verdict("Degraded", words(stalled))
end

local ready = condition("Ready")
if ready == nil then
  return verdict("Progressing", "the operator has not reported on this generation yet")
end
if not is_true(ready) then
  return verdict("Progressing", words(ready))
end

local suspended = condition("Suspended")
if is_true(suspended) then
  return verdict("Suspended", words(suspended))
end
return verdict("Healthy", words(ready))
