{{- define "shrewd.name" -}}
{{- $name := .Values.nameOverride | default "shrewd" -}}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- /* Of objects outside the release's namespace: two releases of one name live in two namespaces, and a-b in c is another
one than a in b-c. */ -}}
{{- define "shrewd.clusterName" -}}
{{- $name := include "shrewd.name" . -}}
{{ $name }}-{{ .Release.Namespace }}-{{ printf "%s/%s" .Release.Namespace $name | sha256sum | trunc 8 }}
{{- end }}

{{- define "shrewd.serviceAccount" -}}
{{- if not (or .Values.serviceAccount.create .Values.serviceAccount.name) }}{{ fail "serviceAccount.name is needed where serviceAccount.create is false" }}{{ end -}}
{{ .Values.serviceAccount.name | default (include "shrewd.name" .) }}
{{- end }}

{{- /* What holds for pods of Indexers, as --pod-defaults takes it; nothing if nothing is set. */ -}}
{{- define "shrewd.podDefaults" -}}
{{- with pick .Values.indexer "placement" "imagePullSecrets" "podMetadata" -}}
{{- if or .placement .imagePullSecrets .podMetadata }}{{ toJson . }}{{ end -}}
{{- end -}}
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
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* The chart's labels, and more where they do not say anything else. Takes (list context labels). */ -}}
{{- define "shrewd.labelsAnd" -}}
{{- $root := index . 0 -}}
{{ merge (include "shrewd.labels" $root | fromYaml) (index . 1 | default dict) | toYaml }}
{{- end }}

{{- /* Who may reach the pods of Indexers, as --network-policy takes it. */ -}}
{{- define "shrewd.networkPolicy" -}}
{{- $namespace := dict "matchLabels" (dict "kubernetes.io/metadata.name" .Release.Namespace) -}}
{{- $pods := dict "matchLabels" (include "shrewd.selector" . | fromYaml) -}}
{{ dict "operator" (dict "namespaceSelector" $namespace "podSelector" $pods) "metrics" .Values.networkPolicy.metrics | toJson }}
{{- end }}
