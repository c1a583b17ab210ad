{{- define "breakeven.name" -}}
{{- if contains "breakeven" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-breakeven" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
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
  verbs: [get, list, watch, create, patch]
# Which series belong to which variant.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
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
