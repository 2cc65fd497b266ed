{{- /* What the operator may do. No wildcard, and nothing at all with secrets: pods mount them by name. */ -}}
{{- define "shrewd.rules" -}}
# The main watch, reading the status of a resource whose spec cannot be read, and reading the spec anew before something
# that exists is changed.
- apiGroups: [shrewd.dev]
  resources: [indexers]
  verbs: [get, list, watch]
# Server-side apply of what was observed. The spec is never written.
- apiGroups: [shrewd.dev]
  resources: [indexers/status]
  verbs: [patch]
# Owner references with blockOwnerDeletion, on clusters that check them (OwnerReferencesPermissionEnforcement).
- apiGroups: [shrewd.dev]
  resources: [indexers/finalizers]
  verbs: [update]
# Configuration of the pods: apply, watch for edits, and delete that of an earlier revision. Server-side apply creates
# what is missing, for which the API server asks for create beside patch, once a list has shown that the name is free.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [list, watch, create, patch, delete]
# The Service for clients and the headless one: as above.
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch, create, patch, delete]
# The identity of the pods, which has no rights: as above.
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [list, watch, create, patch, delete]
# The pods of one revision: as above.
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [list, watch, create, patch, delete]
# Claims for the volumes of those pods: watched for their sizes, raised, freed of a set that is replaced, so that they
# outlive it, and annotated with the record of their revision. They are made by the sets' controller, and none is deleted
# here.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [list, watch, patch]
# Who may reach those pods: as above. Also without networkPolicy.enabled, to find and delete those made before.
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [list, watch, create, patch, delete]
# The bound on voluntary disruptions: as above.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list, watch, create, patch, delete]
# Addresses and states of pods, deleting one that is not ready and was made from an outdated template, and the label that
# keeps one with another digest than its siblings out of the Service.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, patch, delete]
# Replacing a ready pod that was made from an outdated template, as far as disruption budgets allow.
- apiGroups: [""]
  resources: [pods/eviction]
  verbs: [create]
# Giving a running pod other memory, where memory.resize of its Indexer is InPlace. Nothing else of a pod can be changed
# this way.
- apiGroups: [""]
  resources: [pods/resize]
  verbs: [patch]
# Why pods of a candidate are not made: a quota, an admission webhook. Only events tell.
- apiGroups: [""]
  resources: [events]
  verbs: [list]
# Events when a condition turns; patch counts a repeated one up.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
