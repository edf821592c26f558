{{/*
The rest of a pod: the application's container, and where pods run.
*/}}

{{/* Load balancers learn of a pod's end while it has begun: until then it goes on as if nothing were. The image needs no shell for it. */}}
{{- define "doorward.pause" -}}
sleep:
  seconds: {{ .Values.shutdown.endpointsSeconds }}
{{- end -}}

{{- define "doorward.application" -}}
{{- $application := .Values.application -}}
- name: application
  image: {{ $application.image | quote }}
  imagePullPolicy: {{ $application.pullPolicy }}
  {{- range $key := list "command" "args" "env" "envFrom" "volumeMounts" "startupProbe" "livenessProbe" "readinessProbe" "resources" }}
  {{- with index $application $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  ports:
    - name: application
      containerPort: {{ $application.port }}
      protocol: TCP
  lifecycle:
    {{- if $application.lifecycle }}
    {{- toYaml $application.lifecycle | nindent 4 }}
    {{- else }}
    preStop:
      {{- include "doorward.pause" . | nindent 6 }}
    {{- end }}
  securityContext:
    {{- toYaml $application.securityContext | nindent 4 }}
{{- end -}}

{{- define "doorward.scheduling" -}}
{{- range $key := list "imagePullSecrets" "nodeSelector" "affinity" "tolerations" "hostAliases" "priorityClassName" }}
{{- with index $.Values $key }}
{{ $key }}: {{ if kindIs "string" . }}{{ . | quote }}{{ else }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}
{{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{ toYaml . | nindent 4 | trim }}
    {{- if not .labelSelector }}
    labelSelector:
      matchLabels:
        {{- include "doorward.selectorLabels" $ | nindent 8 }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Helm lays values over the defaults: whoever asks for `Recreate` still has the default's `rollingUpdate`, which Kubernetes refuses beside it. */}}
{{- define "doorward.strategy" -}}
{{- $strategy := deepCopy .Values.strategy -}}
{{- if ne (toString $strategy.type) "RollingUpdate" }}{{ $_ := unset $strategy "rollingUpdate" }}{{ end -}}
{{- toYaml $strategy -}}
{{- end -}}
