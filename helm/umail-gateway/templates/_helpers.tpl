{{- define "umail-gateway.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "umail-gateway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "umail-gateway.name" . -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "umail-gateway.selector" -}}
app.kubernetes.io/name: {{ include "umail-gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "umail-gateway.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "umail-gateway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: umail-gateway
{{- end -}}

{{- define "umail-gateway.image" -}}
{{- $image := printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- ternary (printf "%s@%s" .Values.image.repository .Values.image.digest) $image (not (empty .Values.image.digest)) -}}
{{- end -}}

{{- define "umail-gateway.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "umail-gateway.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* A setting as the text of an environment variable: numbers without exponents, everything else as JSON. */}}
{{- define "umail-gateway.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end -}}
{{- end -}}

{{/* The secret settings there are, as JSON: name to the Secret that has it. */}}
{{- define "umail-gateway.secrets" -}}
{{- $found := dict -}}
{{- range .Values.secrets.existingKeys }}{{ $_ := set $found . $.Values.secrets.existingSecret }}{{ end -}}
{{- range $name, $_ := .Values.secrets.values }}{{ $_ := set $found $name (include "umail-gateway.fullname" $) }}{{ end -}}
{{- toJson $found -}}
{{- end -}}

{{- define "umail-gateway.hasTenants" -}}
{{- if or .Values.tenants.file .Values.tenants.existingSecret .Values.tenants.existingConfigMap }}true{{ end -}}
{{- end -}}

{{/* Whether replicas share their state: what is in a Secret of the user's is believed to be redis://. */}}
{{- define "umail-gateway.sharesState" -}}
{{- if or (has "STATE_URL" .Values.secrets.existingKeys) (regexMatch "^rediss?://" (.Values.secrets.values.STATE_URL | default "")) }}true{{ end -}}
{{- end -}}

{{- define "umail-gateway.postgres" -}}
{{- if or (has "DATABASE_URL" .Values.secrets.existingKeys) (hasPrefix "postgresql://" (.Values.secrets.values.DATABASE_URL | default "")) }}true{{ end -}}
{{- end -}}

{{- define "umail-gateway.several" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicas) 1) }}true{{ end -}}
{{- end -}}

{{/* Whether an old and a new pod may serve side by side. */}}
{{- define "umail-gateway.overlaps" -}}
{{- if and (include "umail-gateway.sharesState" .) (include "umail-gateway.postgres" .) }}true{{ end -}}
{{- end -}}

{{/* Whether events have pods of their own: where they can share what they know with those that serve. */}}
{{- define "umail-gateway.watches" -}}
{{- if and .Values.events.enabled (include "umail-gateway.overlaps" .) }}true{{ end -}}
{{- end -}}

{{/* Seconds until a pod may be killed: those to drain, those to finish, and some to close up. */}}
{{- define "umail-gateway.gracePeriod" -}}
{{- $drain := hasKey .Values.settings "DRAIN_TIME" | ternary .Values.settings.DRAIN_TIME 0 -}}
{{- $finish := hasKey .Values.settings "SHUTDOWN_TIMEOUT" | ternary .Values.settings.SHUTDOWN_TIMEOUT 30 -}}
{{- ceil (addf (float64 $drain) (float64 $finish) 10) -}}
{{- end -}}

{{- define "umail-gateway.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "umail-gateway.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
readOnlyRootFilesystem: true
runAsNonRoot: true
{{- end -}}

{{- define "umail-gateway.secretEnv" -}}
{{- $secrets := include "umail-gateway.secrets" .root | fromJson -}}
{{- range $name := .names }}
{{- with get $secrets $name }}
- name: UMAIL_GATEWAY_{{ $name }}
  valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ $name }}}}
{{- end }}
{{- end }}
{{- end -}}
