{{/* The chart's name. */}}
{{- define "netwhy.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of the release's objects. It contains the chart's name once. */}}
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

{{/*
Refuses values that lack what the templates need. `helm upgrade --reuse-values` keeps those of the chart before, which has
no defaults for what came later. Every template begins with it, because Helm renders them in any order.
*/}}
{{- define "netwhy.complete" -}}
{{- $lacking := list -}}
{{- range $key := list "image" "log" "kube" "peers" "rbac" "serviceAccount" "port" "api" "apiPort" "probePort" "listenAddress" "metrics" "hostNetwork" "history" "cgroupMount" "updateStrategy" "prometheusAnnotations" "podMonitor" "serviceMonitor" "networkPolicy" "prometheusRule" "respond" "dashboards" -}}
{{- if not (hasKey $.Values $key) -}}{{- $lacking = append $lacking $key -}}{{- end -}}
{{- end -}}
{{- if not (hasKey (default dict .Values.kube) "restrictWrites") -}}
{{- $lacking = append $lacking "kube.restrictWrites" -}}
{{- end -}}
{{- if $lacking -}}
{{- fail (printf "the values lack %s: if they are those of an older chart, use --reset-then-reuse-values of Helm 3.14 instead of --reuse-values, or give your own with -f" (join ", " $lacking)) -}}
{{- end -}}
{{- end -}}

{{/* Selector of the Pods: it must not change during the life of a release. */}}
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

{{/* Selector of the Pod that answers alerts. It is no agent. */}}
{{- define "netwhy.respondSelectorLabels" -}}
app.kubernetes.io/name: {{ include "netwhy.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: respond
{{- end -}}

{{- define "netwhy.respondLabels" -}}
{{ include "netwhy.respondSelectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{/* Refuses settings of `respond` that would not work. */}}
{{- define "netwhy.checkRespond" -}}
{{- with .Values.respond -}}
{{- if not (or .url.secretName .alertmanagers) -}}
{{- fail "respond.enabled: nobody gets the verdicts: set respond.url.secretName or respond.alertmanagers" -}}
{{- end -}}
{{- if and .templateConfigMapName (or (ne .format "json") (not .url.secretName)) -}}
{{- fail "respond.templateConfigMapName is for posts of JSON: set respond.format: json and respond.url.secretName" -}}
{{- end -}}
{{- end -}}
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

{{/* Refuses combinations that the schema can't describe. */}}
{{- define "netwhy.check" -}}
{{- if and .Values.podMonitor.enabled .Values.serviceMonitor.enabled -}}
{{- fail "podMonitor.enabled and serviceMonitor.enabled would scrape every agent twice: enable one of them" -}}
{{- end -}}
{{- $config := default dict .Values.config -}}
{{- $kube := default dict $config.kube -}}
{{- $instead := dict "mode" "kube.enabled" "publish_events" "kube.publishEvents" -}}
{{- $_ := set $instead "publish_conditions" "kube.publishConditions" -}}
{{- $_ := set $instead "node_name" "nothing, it is the Pod's Node" -}}
{{- $_ := set $instead "kubeconfig" "nothing, the Pod has its own token" -}}
{{- range $key, $remedy := $instead -}}
{{- if hasKey $kube $key -}}
{{- fail (printf "config.kube.%s has no effect, because the chart sets it: use %s" $key $remedy) -}}
{{- end -}}
{{- end -}}
{{- if hasKey (default dict $config.http) "listen" -}}
{{- fail "config.http.listen has no effect, because the chart sets it: use port and listenAddress" -}}
{{- end -}}
{{- if hasKey (default dict $config.http) "probe_listen" -}}
{{- fail "config.http.probe_listen has no effect, because the chart sets it: use probePort and listenAddress" -}}
{{- end -}}
{{- range $key := list "tls_certificate_file" "tls_key_file" "tls_client_ca_file" "authorization" -}}
{{- if hasKey (default dict $config.http) $key -}}
{{- fail (printf "config.http.%s has no effect, because the chart sets it: use metrics" $key) -}}
{{- end -}}
{{- end -}}
{{- range $key, $value := dict "folder" "history.enabled and history.hostPath" "max_mib" "history.maxMiB" -}}
{{- if hasKey (default dict $config.history) $key -}}
{{- fail (printf "config.history.%s has no effect, because the chart sets it: use %s" $key $value) -}}
{{- end -}}
{{- end -}}
{{- include "netwhy.checkMetrics" . -}}
{{- range $key, $value := dict "api" "api" "api_port" "apiPort" -}}
{{- if hasKey (default dict $config.http) $key -}}
{{- fail (printf "config.http.%s has no effect, because the chart sets it: use %s" $key $value) -}}
{{- end -}}
{{- end -}}
{{- if eq (int .Values.port) (int .Values.probePort) -}}
{{- fail "port and probePort are equal: give probePort another number" -}}
{{- end -}}
{{- if or (eq (int .Values.apiPort) (int .Values.port)) (eq (int .Values.apiPort) (int .Values.probePort)) -}}
{{- fail "apiPort equals port or probePort: give apiPort another number" -}}
{{- end -}}
{{- end -}}

{{/* Refuses a protection of /metrics that would not work. */}}
{{- define "netwhy.checkMetrics" -}}
{{- $metrics := .Values.metrics -}}
{{- $hasMonitor := or .Values.podMonitor.enabled .Values.serviceMonitor.enabled -}}
{{- if and $metrics.tls.clientCASecretName (not $metrics.tls.secretName) -}}
{{- fail "metrics.tls.clientCASecretName needs TLS: set metrics.tls.secretName" -}}
{{- end -}}
{{- if eq $metrics.authorization "kubernetes" -}}
{{- if not $metrics.tls.secretName -}}
{{- fail "metrics.authorization would send tokens in clear text: set metrics.tls.secretName" -}}
{{- end -}}
{{- if not .Values.kube.enabled -}}
{{- fail "metrics.authorization asks the API server, but kube.enabled is false: set one of them otherwise" -}}
{{- end -}}
{{- if and $hasMonitor (not $metrics.prometheus.tokenSecretName) -}}
{{- fail "metrics.authorization refuses Prometheus without a token: set metrics.prometheus.tokenSecretName" -}}
{{- end -}}
{{- end -}}
{{- if and $hasMonitor $metrics.tls.clientCASecretName (not $metrics.prometheus.clientSecretName) -}}
{{- fail "metrics.tls.clientCASecretName refuses Prometheus without a certificate: set metrics.prometheus.clientSecretName" -}}
{{- end -}}
{{- if and (eq .Values.api "proxy") $metrics.tls.secretName -}}
{{- fail "api: proxy does not work with metrics.tls, because kubectl netwhy comes by plain HTTP through the Pod proxy, which passes no token and no client certificate on: set api: loopback, where it comes by port-forward" -}}
{{- end -}}
{{- end -}}

{{/* The agent's configuration: `config`, and the values that also need rights. */}}
{{- define "netwhy.config" -}}
{{- $kube := dict -}}
{{- if .Values.kube.enabled -}}
{{- $switches := dict "endpoint_slices" .Values.peers.endpointSlices "publish_events" .Values.kube.publishEvents -}}
{{- $_ := set $switches "publish_conditions" .Values.kube.publishConditions -}}
{{- range $key, $on := $switches -}}
{{- if $on -}}{{- $_ := set $kube $key true -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- $config := deepCopy (default dict .Values.config) -}}
{{- if $kube -}}{{- $config = mergeOverwrite $config (dict "kube" $kube) -}}{{- end -}}
{{- with .Values.metrics -}}
{{- $http := dict -}}
{{- if .tls.secretName -}}
{{- $_ := set $http "tls_certificate_file" "/etc/netwhy-tls/tls.crt" -}}
{{- $_ := set $http "tls_key_file" "/etc/netwhy-tls/tls.key" -}}
{{- end -}}
{{- if .tls.clientCASecretName -}}{{- $_ := set $http "tls_client_ca_file" "/etc/netwhy-client-ca/ca.crt" -}}{{- end -}}
{{- if ne .authorization "none" -}}{{- $_ := set $http "authorization" .authorization -}}{{- end -}}
{{- if $http -}}{{- $config = mergeOverwrite $config (dict "http" $http) -}}{{- end -}}
{{- end -}}
{{- $http := dict "api" .Values.api "api_port" (int .Values.apiPort) -}}
{{- $config = mergeOverwrite $config (dict "http" $http) -}}
{{- with .Values.history -}}
{{- if .enabled -}}
{{- $history := dict "folder" "/var/lib/netwhy" "max_mib" (int .maxMiB) -}}
{{- $config = mergeOverwrite $config (dict "history" $history) -}}
{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* The endpoint of both kinds of monitors. */}}
{{- define "netwhy.endpoint" -}}
port: metrics
path: /metrics
# `namespace` and `pod` name the observed Pods: keep them instead of the agent's own.
honorLabels: true
{{- with .root.Values.metrics }}
{{- if .tls.secretName }}
scheme: https
tlsConfig:
  # Prometheus connects to addresses of Pods, which the certificate does not have.
  serverName: {{ default (printf "%s.%s.svc" (include "netwhy.fullname" $.root) $.root.Release.Namespace) .tls.serverName }}
  ca:
    secret:
      name: {{ default .tls.secretName .prometheus.caSecretName }}
      key: ca.crt
  {{- with .prometheus.clientSecretName }}
  cert:
    secret:
      name: {{ . }}
      key: tls.crt
  keySecret:
    name: {{ . }}
    key: tls.key
  {{- end }}
{{- end }}
{{- if eq .authorization "kubernetes" }}
authorization:
  type: Bearer
  credentials:
    name: {{ .prometheus.tokenSecretName }}
    key: {{ .prometheus.tokenSecretKey }}
{{- end }}
{{- end }}
{{- with .monitor.interval }}
interval: {{ . }}
{{- end }}
{{- with .monitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
relabelings:
  # The agent's metrics have no label for their own Node.
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
