{{/* The chart's name. */}}
{{- define "netwhy.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of the release's objects; with the chart's name only once. */}}
{{- define "netwhy.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "netwhy.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What the Pods are found by: never changes in a release's life. */}}
{{- define "netwhy.selectorLabels" -}}
app.kubernetes.io/name: {{ include "netwhy.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: agent
{{- end -}}

{{- define "netwhy.labels" -}}
{{ include "netwhy.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "netwhy.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "netwhy.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "netwhy.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Combinations that the schema can't name in words. */}}
{{- define "netwhy.check" -}}
{{- if and .Values.podMonitor.enabled .Values.serviceMonitor.enabled -}}
{{- fail "podMonitor.enabled and serviceMonitor.enabled would scrape every agent twice: enable one of them" -}}
{{- end -}}
{{- $config := default dict .Values.config -}}
{{- $kube := default dict $config.kube -}}
{{- range $key, $instead := dict "mode" "kube.enabled" "node_name" "nothing, it is the Pod's Node" "kubeconfig" "nothing, the Pod has its own token" "publish_events" "kube.publishEvents" "publish_conditions" "kube.publishConditions" -}}
{{- if hasKey $kube $key -}}
{{- fail (printf "config.kube.%s would have no effect, because the chart sets it: use %s" $key $instead) -}}
{{- end -}}
{{- end -}}
{{- if hasKey (default dict $config.http) "listen" -}}
{{- fail "config.http.listen would have no effect, because the chart sets it: use port and listenAddress" -}}
{{- end -}}
{{- end -}}

{{/* The agent's configuration: `config`, and the switches that need rights beside them. */}}
{{- define "netwhy.config" -}}
{{- $kube := dict -}}
{{- if .Values.kube.enabled -}}
{{- range $key, $on := dict "endpoint_slices" .Values.peers.endpointSlices "publish_events" .Values.kube.publishEvents "publish_conditions" .Values.kube.publishConditions -}}
{{- if $on -}}{{- $_ := set $kube $key true -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- $config := deepCopy (default dict .Values.config) -}}
{{- if $kube -}}{{- $config = mergeOverwrite $config (dict "kube" $kube) -}}{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* What both kinds of monitors say of an endpoint. */}}
{{- define "netwhy.endpoint" -}}
port: metrics
path: /metrics
# The agent's `namespace` and `pod` are those of the observed Pods: they must not give way to its own.
honorLabels: true
{{- with .monitor.interval }}
interval: {{ . }}
{{- end }}
{{- with .monitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
relabelings:
  # No metric names its own Node: the scrape does.
  - sourceLabels: [__meta_kubernetes_pod_node_name]
    targetLabel: node
    action: replace
  {{- with .monitor.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
