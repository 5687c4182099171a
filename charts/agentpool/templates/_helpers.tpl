{{- define "agentpool.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "agentpool.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "agentpool.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "agentpool.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* What a label takes of a version, given as text: semantic versions may have a "+". */}}
{{- define "agentpool.versionLabel" -}}
{{- . | replace "+" "_" | trunc 63 | regexFind "^.*[A-Za-z0-9]" -}}
{{- end }}

{{/* dict "root" $ "component" "gateway" */}}
{{- define "agentpool.selectorLabels" -}}
app.kubernetes.io/name: {{ include "agentpool.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* As above, and where there are more "labels". Ours win: by them network policies of pools and kubectl agentpool find what is ours. */}}
{{- define "agentpool.labels" -}}
{{- $ours := include "agentpool.selectorLabels" . | fromYaml -}}
{{- $_ := set $ours "app.kubernetes.io/version" (include "agentpool.versionLabel" (toString .root.Chart.AppVersion)) -}}
{{- $_ := set $ours "app.kubernetes.io/part-of" "agentpool" -}}
{{- $_ := set $ours "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $ours "helm.sh/chart" (include "agentpool.versionLabel" (printf "%s-%s" .root.Chart.Name .root.Chart.Version)) -}}
{{- toYaml (merge $ours (default (dict) .labels) (default (dict) .root.Values.commonLabels)) -}}
{{- end }}

{{/*
dict "root" $ "component" "gateway" "name" "…": name, namespace, labels and annotations of an object; with "labels" and "annotations" of its own,
and with "namespace" where it is not in the release's, "" where it is in none.
*/}}
{{- define "agentpool.metadata" -}}
{{- $namespace := ternary .namespace .root.Release.Namespace (hasKey . "namespace") -}}
name: {{ .name | quote }}
{{- with $namespace }}
namespace: {{ . | quote }}
{{- end }}
labels:
  {{- include "agentpool.labels" . | nindent 2 }}
{{- with merge (dict) (default (dict) .annotations) (default (dict) .root.Values.commonAnnotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* dict "root" $ "component" "gateway": labels and annotations of its pods */}}
{{- define "agentpool.podMetadata" -}}
{{- $values := index .root.Values .component -}}
labels:
  {{- include "agentpool.labels" (merge (dict "labels" $values.podLabels) .) | nindent 2 }}
annotations:
  {{- toYaml (merge (include "agentpool.storeChecksum" .root | fromYaml) (default (dict) $values.podAnnotations)) | nindent 2 }}
{{- end }}

{{/* dict "root" $ "image" .Values.image */}}
{{- define "agentpool.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default (.root.Chart.AppVersion | replace "+" "_") .image.tag }}
{{- end -}}
{{- end }}

{{/* dict "root" $ "component" "gateway" */}}
{{- define "agentpool.serviceAccountName" -}}
{{- $values := index .root.Values .component -}}
{{- if $values.serviceAccount.name -}}
{{ $values.serviceAccount.name }}
{{- else if $values.serviceAccount.create -}}
{{ include "agentpool.fullname" .root }}-{{ .component }}
{{- else -}}
default
{{- end -}}
{{- end }}

{{- define "agentpool.storeSecretName" -}}
{{- default (printf "%s-store" (include "agentpool.fullname" .)) .Values.redis.secretName -}}
{{- end }}

{{/* The folder of the store: a Secret of the user's lies over what the values say of the place. */}}
{{- define "agentpool.storeVolume" -}}
{{- if .Values.redis.secretName -}}
name: store
projected:
  sources:
    - secret: { name: {{ include "agentpool.fullname" . }}-store-place }
    - secret: { name: {{ .Values.redis.secretName | quote }} }
{{- else -}}
name: store
secret: { secretName: {{ include "agentpool.storeSecretName" . | quote }} }
{{- end -}}
{{- end }}

{{/* An annotation of pods: processes keep to the place of the store with which they began. */}}
{{- define "agentpool.storeChecksum" -}}
{{- $redis := .Values.redis -}}
agentpool.dev/store: {{ list $redis.url $redis.secretName $redis.keyPrefix (toString $redis.minReplicas) | toJson | sha256sum | trunc 16 | quote }}
{{- end }}

{{- define "agentpool.usesBundledRedis" -}}
{{- if not (or .Values.redis.url .Values.redis.secretName) -}}yes{{- end -}}
{{- end }}

{{/* Whether the operator makes a user of Redis for each pool. */}}
{{- define "agentpool.usesPoolUsers" -}}
{{- if eq (toString .Values.redis.poolUsers) "Auto" -}}
{{- include "agentpool.usesBundledRedis" . -}}
{{- else if .Values.redis.poolUsers -}}
yes
{{- end -}}
{{- end }}

{{/* Bytes that Redis may fill: the rest of its container's limit is for the copy while it rewrites its file. Empty without a limit. */}}
{{- define "agentpool.redisMaxmemory" -}}
{{- $limit := dig "limits" "memory" "" (default (dict) .Values.redis.bundled.resources) -}}
{{- if not (kindIs "string" $limit) }}{{ $limit = int64 $limit | toString }}{{ end -}}
{{- if $limit -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" $limit -}}
{{- $unit := trimPrefix $number $limit -}}
{{- if or (not $number) (not (hasKey $units $unit)) -}}
{{- fail (printf "redis.bundled.resources.limits.memory: cannot read %q; write it like 512Mi or 2Gi" $limit) -}}
{{- end -}}
{{- mulf 0.6 (float64 $number) (get $units $unit) | floor | int64 -}}
{{- end -}}
{{- end }}

{{/* Seconds that running tasks have when a gateway leaves: the last 10 of its grace period are for telling those who wait, and for a machine that is busy. */}}
{{- define "agentpool.drainSeconds" -}}
{{- sub (sub .Values.gateway.terminationGracePeriodSeconds .Values.gateway.leaveSeconds) 10 -}}
{{- end }}

{{- define "agentpool.caSecretName" -}}
{{- default (printf "%s-link-ca" (include "agentpool.fullname" .)) .Values.internal.caSecretName -}}
{{- end }}

{{- define "agentpool.operatorLinkSecretName" -}}
{{- default (printf "%s-operator-link" (include "agentpool.fullname" .)) .Values.internal.operatorSecretName -}}
{{- end }}

{{- define "agentpool.gatewayLinkSecretName" -}}
{{- default (printf "%s-gateway-link" (include "agentpool.fullname" .)) .Values.internal.gatewaySecretName -}}
{{- end }}

{{- define "agentpool.tokensSecretName" -}}
{{- default (printf "%s-tokens" (include "agentpool.fullname" .)) .Values.auth.tokensSecretName -}}
{{- end }}

{{- define "agentpool.tlsSecretName" -}}
{{- default (printf "%s-gateway-tls" (include "agentpool.fullname" .)) .Values.tls.secretName -}}
{{- end }}

{{/* What is restricted stays so, whatever ids the values name. */}}
{{- define "agentpool.podSecurityContext" -}}
{{- $fixed := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- toYaml (merge $fixed (default (dict) .Values.podSecurityContext)) -}}
{{- end }}

{{- define "agentpool.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* dict "root" $ "component" "gateway": what every pod of ours says about where it runs */}}
{{- define "agentpool.placement" -}}
{{- $values := index .root.Values .component -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- if $values.topologySpreadConstraints }}
  {{- toYaml $values.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "agentpool.selectorLabels" . | nindent 8 }}
  {{- end }}
{{- end }}
