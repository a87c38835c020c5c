{{/* Refuses what cannot work, with a text that says what to give. */}}
{{- define "umail-gateway.checks" -}}
{{- $secrets := include "umail-gateway.secrets" . | fromJson -}}
{{- if and .Values.secrets.existingKeys (not .Values.secrets.existingSecret) -}}
{{- fail "secrets.existingKeys names keys of a Secret: say which one in secrets.existingSecret." -}}
{{- end -}}
{{- if and .Values.secrets.existingSecret (not .Values.secrets.existingKeys) -}}
{{- fail "secrets.existingSecret is not looked into: list in secrets.existingKeys which settings it has, such as MASTER_KEY." -}}
{{- end -}}
{{- range .Values.secrets.existingKeys -}}
{{- if hasKey $.Values.secrets.values . -}}
{{- fail (printf "%s stands in both secrets.existingKeys and secrets.values: one of them too many." .) -}}
{{- end -}}
{{- end -}}
{{- if not (or (hasKey $secrets "MASTER_KEY") .Values.settings.MASTER_KEY_FILE) -}}
{{- fail "There is no master key: make one with `umail-gateway keys generate-master` and give it as MASTER_KEY in a Secret (secrets.existingSecret and secrets.existingKeys) or in secrets.values." -}}
{{- end -}}
{{- /* Not by the schema, whose messages quote what they refuse. */ -}}
{{- range $name, $form := dict "MASTER_KEY" "^[A-Za-z0-9+/_-]{43}=?(,[A-Za-z0-9+/_-]{43}=?)*$" "STATE_URL" "^(memory|rediss?)://" "DATABASE_URL" "^(sqlite:///|postgresql://)" -}}
{{- with get $.Values.secrets.values $name -}}
{{- if not (regexMatch $form .) -}}
{{- fail (printf "secrets.values.%s does not have the form that the README describes." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $tenants := .Values.tenants -}}
{{- if gt (len (compact (list $tenants.file $tenants.existingSecret $tenants.existingConfigMap .Values.settings.TENANTS_URL))) 1 -}}
{{- fail "Tenants come from one place: tenants.file, tenants.existingSecret, tenants.existingConfigMap or settings.TENANTS_URL." -}}
{{- end -}}
{{- if include "umail-gateway.several" . -}}
{{- if not (include "umail-gateway.sharesState" .) -}}
{{- fail "Several replicas need a state store they share: give STATE_URL=redis://… in secrets.values or in the existing Secret, or one replica." -}}
{{- end -}}
{{- if .Values.persistence.enabled -}}
{{- fail "persistence keeps the SQLite database of a single replica: several need DATABASE_URL=postgresql://… instead." -}}
{{- end -}}
{{- if not (include "umail-gateway.postgres" .) -}}
{{- fail "Several replicas need a database they share: give DATABASE_URL=postgresql://… in secrets.values or in the existing Secret, or one replica." -}}
{{- end -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas." -}}
{{- end -}}
{{- if and .Values.persistence.enabled (include "umail-gateway.postgres" .) -}}
{{- fail "persistence keeps the SQLite database: with a DATABASE_URL of PostgreSQL there is nothing to keep." -}}
{{- end -}}
{{- if and .Values.ingress.enabled .Values.httpRoute.enabled -}}
{{- fail "Either ingress or httpRoute, not both." -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts is empty: an Ingress for any host would answer for others." -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs is empty: name the Gateway." -}}
{{- end -}}
{{- end -}}
