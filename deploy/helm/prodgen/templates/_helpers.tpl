{{- define "prodgen.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* Labels that select the pods of a component. Arguments: root, component, and the name of a group or "". */}}
{{- define "prodgen.selector" -}}
app.kubernetes.io/name: prodgen
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .group }}
prodgen/group: {{ . }}
{{- end }}
{{- end }}

{{- define "prodgen.labels" -}}
{{ include "prodgen.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "prodgen.from-secret" -}}
valueFrom: { secretKeyRef: { name: {{ .root.Values.secret }}, key: {{ .key }} } }
{{- end }}

{{/* The environment of every process: Redis, the signing secret, and the settings of values.yaml. */}}
{{- define "prodgen.environment" -}}
- name: PRODGEN_ENVIRONMENT
  value: production
- name: PRODGEN_SECRET_KEY
  {{- include "prodgen.from-secret" (dict "root" . "key" "secret-key") | nindent 2 }}
- name: PRODGEN_REDIS_URL
  {{- include "prodgen.from-secret" (dict "root" . "key" "redis-url") | nindent 2 }}
- name: PRODGEN_PUBLIC_URL
  value: {{ .Values.publicUrl }}
{{- range $name, $value := .Values.settings }}
- name: PRODGEN_{{ upper $name }}
  value: {{ $value | quote }}
{{- end }}
{{- with .Values.traces.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . }}
{{- end }}
{{- end }}

{{- define "prodgen.store" -}}
- name: PRODGEN_STORE_URL
  value: {{ .Values.store.url }}
- name: PRODGEN_S3_ENDPOINT
  value: {{ .Values.store.endpoint }}
{{- with .Values.store.publicEndpoint }}
- name: PRODGEN_S3_PUBLIC_ENDPOINT
  value: {{ . }}
{{- end }}
- name: PRODGEN_S3_REGION
  value: {{ .Values.store.region }}
- name: PRODGEN_S3_ACCESS_KEY
  {{- include "prodgen.from-secret" (dict "root" . "key" "s3-access-key") | nindent 2 }}
- name: PRODGEN_S3_SECRET_KEY
  {{- include "prodgen.from-secret" (dict "root" . "key" "s3-secret-key") | nindent 2 }}
{{- end }}

{{/* The environment of workers: the port of /healthz, /readyz and /metrics. */}}
{{- define "prodgen.health" -}}
- name: PRODGEN_HEALTH_PORT
  value: "8001"
- name: PRODGEN_HEALTH_HOST
  value: 0.0.0.0
{{- end }}

{{- define "prodgen.probes" -}}
startupProbe:
  httpGet: { path: /readyz, port: http }
  periodSeconds: 5
  failureThreshold: {{ .startSeconds | div 5 }}
readinessProbe:
  httpGet: { path: /readyz, port: http }
  periodSeconds: 10
  timeoutSeconds: 5
livenessProbe:
  httpGet: { path: /healthz, port: http }
  periodSeconds: 10
  timeoutSeconds: 5
{{- end }}

{{/* No pod needs the API of Kubernetes, root, or a file system that it may write beyond its volumes. */}}
{{- define "prodgen.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "prodgen.container" -}}
imagePullPolicy: {{ .Values.images.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{- define "prodgen.tmp" -}}
- name: tmp
  emptyDir: { sizeLimit: 512Mi }
{{- end }}

{{/* Resources of a group, with its GPUs. */}}
{{- define "prodgen.resources" -}}
requests:
  {{- toYaml .resources.requests | nindent 2 }}
limits:
  {{- toYaml .resources.limits | nindent 2 }}
  {{- if .gpus }}
  {{ .gpuResource | default "nvidia.com/gpu" }}: {{ .gpus }}
  {{- end }}
{{- end }}

{{/* Settings of a group. What is fetched fills `percent` of its disk: a pod whose disk is full is evicted. */}}
{{- define "prodgen.group" -}}
{{- $size := .group.cacheSize }}
{{- $mb := ternary 1 (ternary 1024 1048576 (hasSuffix "Gi" $size)) (hasSuffix "Mi" $size) }}
- name: PRODGEN_CACHE_MB
  value: {{ div (mul (regexFind "^[0-9]+" $size | int) $mb .percent) 100 | quote }}
{{- if .group.gpus }}
- name: NVIDIA_DRIVER_CAPABILITIES
  value: compute,utility
{{- end }}
{{- end }}

{{- define "prodgen.placement" -}}
{{- with .runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
