{{/* The pods of the gateway and of its events: the root's context with `component`, `command` and `resources`. */}}
{{- define "umail-gateway.pod" -}}
metadata:
  labels:
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
    {{- include "umail-gateway.labels" . | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
  annotations:
    {{- with .Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
    # Settings are read at start. The tenants file is not among them: the gateway reads it again by itself.
    checksum/settings: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
    checksum/secrets: {{ toJson .Values.secrets | sha256sum }}
spec:
  serviceAccountName: {{ include "umail-gateway.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "umail-gateway.gracePeriod" . }}
  securityContext: {{- include "umail-gateway.podSecurity" . | nindent 4 }}
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  containers:
    - name: {{ .component }}
      image: {{ include "umail-gateway.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [{{ .command }}]
      securityContext: {{- include "umail-gateway.containerSecurity" . | nindent 8 }}
      ports:
        - {name: http, containerPort: 8000, protocol: TCP}
        - {name: management, containerPort: 8001, protocol: TCP}
      envFrom:
        - configMapRef: {name: {{ include "umail-gateway.fullname" . }}}
        {{- with .Values.extraEnvFrom }}{{ toYaml . | nindent 8 }}{{ end }}
      env:
        {{- with .Values.extraEnv }}{{ toYaml . | nindent 8 }}{{ end }}
        {{- include "umail-gateway.secretEnv" (dict "root" . "names" (keys (include "umail-gateway.secrets" . | fromJson) | sortAlpha)) | trim | nindent 8 }}
      startupProbe:
        httpGet: {path: /healthz, port: http}
        {{- toYaml .Values.probes.startup | nindent 8 }}
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        {{- toYaml .Values.probes.readiness | nindent 8 }}
      livenessProbe:
        httpGet: {path: /healthz, port: http}
        {{- toYaml .Values.probes.liveness | nindent 8 }}
      resources: {{- toYaml .resources | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        - {name: data, mountPath: /data}
        {{- if include "umail-gateway.hasTenants" . }}
        # The whole folder: a single file would never change.
        - {name: tenants, mountPath: /etc/umail-gateway, readOnly: true}
        {{- end }}
        {{- with .Values.extraVolumeMounts }}{{ toYaml . | nindent 8 }}{{ end }}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: {{ .Values.temporary.sizeLimit }}}
    - name: data
      {{- if and .Values.persistence.enabled (eq .component "gateway") }}
      persistentVolumeClaim: {claimName: {{ .Values.persistence.existingClaim | default (include "umail-gateway.fullname" .) }}}
      {{- else }}
      emptyDir: {}
      {{- end }}
    {{- if .Values.tenants.existingConfigMap }}
    - name: tenants
      configMap: {name: {{ .Values.tenants.existingConfigMap }}, defaultMode: 0440}
    {{- else if include "umail-gateway.hasTenants" . }}
    - name: tenants
      secret: {secretName: {{ .Values.tenants.existingSecret | default (printf "%s-tenants" (include "umail-gateway.fullname" .)) }}, defaultMode: 0440}
    {{- end }}
    {{- with .Values.extraVolumes }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .Values.topologySpread }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "umail-gateway.selector" $ | nindent 10 }}
          app.kubernetes.io/component: {{ $.component }}
      # Old pods do not count while new ones are rolled out.
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
{{- end -}}
