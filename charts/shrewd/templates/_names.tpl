{{- define "shrewd.name" -}}
{{- if contains "shrewd" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-shrewd" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- /* Of objects without a namespace: two releases of one name live in two namespaces. */ -}}
{{- define "shrewd.clusterName" -}}
{{ include "shrewd.name" . }}-{{ .Release.Namespace }}
{{- end }}

{{- define "shrewd.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "shrewd.name" .) }}
{{- end }}

{{- /* An image: digest over tag over the chart's appVersion. Takes (list context imageValues). */ -}}
{{- define "shrewd.image" -}}
{{- $root := index . 0 }}{{ $image := index . 1 -}}
{{- if $image.digest }}{{ $image.repository }}@{{ $image.digest }}{{ else }}{{ $image.repository }}:{{ $image.tag | default $root.Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* Not empty if there is more than one operator. */ -}}
{{- define "shrewd.several" -}}
{{ if gt (int .Values.replicas) 1 }}yes{{ end }}
{{- end }}

{{- define "shrewd.selector" -}}
app.kubernetes.io/name: shrewd-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "shrewd.labels" -}}
{{ include "shrewd.selector" . }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: shrewd
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}
