{{- define "breakeven.name" -}}
{{- $base := .Values.nameOverride | default "breakeven" }}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}{{ else if contains $base .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name $base | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "breakeven.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "breakeven.name" .) }}
{{- end }}

{{- define "breakeven.selector" -}}
app.kubernetes.io/name: breakeven
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "breakeven.labels" -}}
{{ include "breakeven.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "breakeven.image" -}}
{{- with .Values.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}{{ end }}
{{- end }}

{{- /* Without users and groups where OpenShift gives each namespace its own: restricted-v2 refuses others. */}}
{{- define "breakeven.podSecurityContext" -}}
{{- $own := .Values.podSecurityContext }}
{{- if .Values.openshift }}{{ $own = omit $own "runAsUser" "runAsGroup" "fsGroup" }}{{ end }}
{{- toYaml $own }}
{{- end }}

{{- /* What the operator does in the namespaces it watches; equal to operator/breakeven/adapters/rights.py by a test. */}}
{{- define "breakeven.rules" -}}
# What teams declare; it is never written.
- apiGroups: [breakeven.dev]
  resources: [speculativedeployments]
  verbs: [get, list, watch]
# The report, and the memory of the loop.
- apiGroups: [breakeven.dev]
  resources: [speculativedeployments/status]
  verbs: [patch]
# One Deployment for each variant, one Service for each resource.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
# Which series belong to which variant.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
# What warm replicas run and hold; of ConfigMaps, only those with our label are looked at.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, create, patch, delete]
# What a drain may take at once, where a resource says it.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, create, patch, delete]
# Decisions, when they are taken.
- apiGroups: [""]
  resources: [events]
  verbs: [create]
# Scraping of the engines, where the Prometheus operator is installed.
- apiGroups: [monitoring.coreos.com]
  resources: [podmonitors]
  verbs: [get, list, create, patch]
{{- end }}

{{- define "breakeven.clusterRules" -}}
# The watches begin when the definition is installed.
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [list, watch]
{{- end }}
