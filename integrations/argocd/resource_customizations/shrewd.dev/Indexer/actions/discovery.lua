-- What can be done with an Indexer. Without pods there is no guest to refresh.

local is_suspended = obj.spec.suspend == true
local actions = {}

actions["refresh"] = {
  ["displayName"] = "Refresh the guest",
  ["iconClass"] = "fa fa-fw fa-rotate-right",
  ["disabled"] = is_suspended,
}
actions["suspend"] = {
  ["displayName"] = "Suspend: pods go, data stays",
  ["iconClass"] = "fa fa-fw fa-pause",
  ["disabled"] = is_suspended,
}
actions["resume"] = {
  ["displayName"] = "Resume",
  ["iconClass"] = "fa fa-fw fa-play",
  ["disabled"] = not is_suspended,
}

return actions
