{{/*
What things are called, and the labels that they bear. Names are quoted wherever they stand: `123` and `true` are names, too.
*/}}

{{- define "doorward.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 50 characters, so that `-admin` and the like fit in the 63 of a label (RFC 1035). */}}
{{- define "doorward.fullname" -}}
{{- $name := include "doorward.name" . -}}
{{- $both := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $both .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "doorward.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "doorward.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "doorward.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* By what the Services and policies choose pods. It never changes during a release's life: a Deployment's selector cannot. */}}
{{- define "doorward.selectorLabels" -}}
{{- if eq .Values.mode "include" -}}
{{- toYaml .Values.include.selectorLabels -}}
{{- else -}}
app.kubernetes.io/name: {{ include "doorward.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}
{{- end -}}

{{- define "doorward.labels" -}}
{{ include "doorward.ownLabels" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "doorward.ownLabels" -}}
app.kubernetes.io/name: {{ include "doorward.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}
