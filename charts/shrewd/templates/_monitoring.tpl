{{- /* Not empty if an object of this kind of Prometheus' operator is to be made. Takes (list context kind). */ -}}
{{- define "shrewd.monitors" -}}
{{- $root := index . 0 }}{{ $kind := index . 1 -}}
{{- $asked := toString $root.Values.monitoring.enabled -}}
{{- $known := $root.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" $kind) -}}
{{- if or (eq $asked "true") (and (eq $asked "auto") $known) }}yes{{ end }}
{{- end }}

{{- /* Metadata of an object that a Prometheus selects by its labels. Takes (list context suffix). */ -}}
{{- define "shrewd.monitorMetadata" -}}
{{- $root := index . 0 -}}
name: {{ include "shrewd.name" $root }}{{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels: {{- include "shrewd.labelsAnd" (list $root $root.Values.monitoring.labels) | nindent 2 }}
{{- end }}
