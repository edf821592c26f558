{{/*
Doorward's part of a pod. `doorward.initContainer` and `doorward.volumes` are for charts of other people, too (mode `include`); so is
`doorward.podAnnotations`.
*/}}

{{/* The container without what depends on the mode. */}}
{{- define "doorward.container" -}}
name: doorward
image: {{ include "doorward.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [serve, -c, {{ include "doorward.folder" . }}/adapter.json]
env:
  # The admin listener's address, and what this node is called at Keycloak.
  - name: POD_IP
    valueFrom:
      fieldRef:
        fieldPath: status.podIP
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: doorward
    containerPort: {{ .Values.ports.public }}
    protocol: TCP
  - name: doorward-admin
    containerPort: {{ .Values.ports.admin }}
    protocol: TCP
# Not /readyz: an application must start while the identity server is away.
startupProbe:
  {{- include "doorward.probe" (dict "context" . "path" "/healthz") | nindent 2 }}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  {{- include "doorward.probe" (dict "context" . "path" "/healthz") | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 3
readinessProbe:
  {{- include "doorward.probe" (dict "context" . "path" "/readyz") | nindent 2 }}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
  # Whole folders, no subPath: the kubelet swaps files in those only.
  - name: doorward-config
    mountPath: {{ include "doorward.folder" . }}
    readOnly: true
  {{- if .Values.persist.enabled }}
  - name: doorward-ended
    mountPath: /var/lib/doorward
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "doorward.probe" -}}
httpGet:
  path: {{ .path }}
  port: doorward-admin
  scheme: {{ ternary "HTTPS" "HTTP" (eq (include "doorward.hasTls" .context.Values.adminTls) "yes") }}
{{- end -}}

{{/* An item of `initContainers`: a native sidecar. It is up before the application starts, and ends after it. */}}
{{- define "doorward.initContainer" -}}
{{- include "doorward.validate" . -}}
- restartPolicy: Always
  {{- include "doorward.container" . | nindent 2 }}
{{- end -}}

{{/* Items of `volumes`. Readable to all users of a container: only Doorward's mounts it, and `fsGroup` would change the application's. */}}
{{- define "doorward.volumes" -}}
- name: doorward-config
  projected:
    defaultMode: 0444
    sources:
      - configMap:
          name: {{ include "doorward.fullname" . | quote }}
          items:
            - key: adapter.json
              path: adapter.json
            {{- if .Values.truststore.pem }}
            - key: truststore.pem
              path: truststore
            {{- end }}
      {{- with include "doorward.secretSources" . | trim }}
      {{- . | nindent 6 }}
      {{- end }}
{{- if .Values.persist.enabled }}
- name: doorward-ended
  emptyDir:
    sizeLimit: {{ .Values.persist.sizeLimit | quote }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "doorward.source" -}}
- {{ .kind }}:
    name: {{ .name | quote }}
    items:
      {{- range $path, $key := .items }}
      - key: {{ $key | quote }}
        path: {{ $path }}
      {{- end }}
{{- end -}}

{{/* Whatever is secret, in the folder that `adapter.json` names: from Secrets that exist, or from the chart's own. */}}
{{- define "doorward.secretSources" -}}
{{- $own := include "doorward.fullname" . -}}
{{- range $path, $value := dict "client-secret" .Values.clientSecret "admin-token" .Values.adminToken -}}
{{- if $value.existingSecret }}
{{ include "doorward.source" (dict "kind" "secret" "name" $value.existingSecret "items" (dict $path $value.key)) }}
{{- else if $value.value }}
{{ include "doorward.source" (dict "kind" "secret" "name" $own "items" (dict $path $path)) }}
{{- end }}
{{- end }}
{{- range $folder, $value := dict "tls" .Values.tls "admin-tls" .Values.adminTls -}}
{{- $paths := list (printf "%s/tls.crt" $folder) (printf "%s/tls.key" $folder) -}}
{{- if $value.existingSecret }}
{{ include "doorward.source" (dict "kind" "secret" "name" $value.existingSecret "items" (dict (index $paths 0) "tls.crt" (index $paths 1) "tls.key")) }}
{{- else if $value.certificate }}
{{ include "doorward.source" (dict "kind" "secret" "name" $own "items" (dict (index $paths 0) (printf "%s.crt" $folder) (index $paths 1) (printf "%s.key" $folder))) }}
{{- end }}
{{- end }}
{{- include "doorward.cookieKeySource" . }}
{{- include "doorward.truststoreSources" . }}
{{- end -}}

{{- define "doorward.cookieKeySource" -}}
{{- $items := dict -}}
{{- if .Values.cookieKeys.existingSecret -}}
{{- range $index, $key := .Values.cookieKeys.keys }}{{ $_ := set $items (printf "cookie-keys/%d" $index) $key }}{{ end -}}
{{- else -}}
{{- range $index, $_ := .Values.cookieKeys.values }}{{ $_ := set $items (printf "cookie-keys/%d" $index) (printf "cookie-key-%d" $index) }}{{ end -}}
{{- end -}}
{{- if $items }}
{{ include "doorward.source" (dict "kind" "secret" "name" (default (include "doorward.fullname" .) .Values.cookieKeys.existingSecret) "items" $items) }}
{{- end }}
{{- end -}}

{{- define "doorward.truststoreSources" -}}
{{- with .Values.truststore -}}
{{- if .existingConfigMap }}
{{ include "doorward.source" (dict "kind" "configMap" "name" .existingConfigMap "items" (dict "truststore" .key)) }}
{{- else if .existingSecret }}
{{- $items := dict "truststore" .key -}}
{{- if .passwordKey }}{{ $_ := set $items "truststore-password" .passwordKey }}{{ end }}
{{ include "doorward.source" (dict "kind" "secret" "name" .existingSecret "items" $items) }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* What makes the pods roll: a change of what a running process cannot change, or with `reload: restart` of anything. */}}
{{- define "doorward.podAnnotations" -}}
{{- $counts := include "doorward.fixed" . -}}
{{- if eq .Values.reload "restart" -}}
{{- $counts = printf "%s%s%s" (include "doorward.adapter" .) .Values.truststore.pem (include "doorward.secretData" .) -}}
{{- end -}}
checksum/doorward: {{ $counts | sha256sum }}
{{- end -}}

{{/* What the configuration says under the keys that count from the next start on: src/config/provenance.rs, `FIXED` and `PUBLIC_URL`. */}}
{{- define "doorward.fixed" -}}
{{- $adapter := include "doorward.adapter" . | fromJson -}}
{{- $keys := include "doorward.fixedKeys" . | fromYamlArray -}}
{{- if hasPrefix "/" (index $adapter "auth-server-url" | toString) -}}
{{- $keys = append $keys "sidecar.public-url" -}}
{{- end -}}
{{- range $keys }}
{{ . }}={{ include "doorward.configAt" (dict "config" $adapter "path" .) }}
{{- end }}
{{- end -}}

{{- define "doorward.fixedKeys" -}}
- auth-server-url
- client-id
- provider-url
- realm
- register-node-at-startup
- register-node-period
- resource
- token-store
- sidecar.admin.listen
- sidecar.admin.tls
- sidecar.app-logout-hook
- sidecar.limits.client-header-timeout
- sidecar.limits.drain
- sidecar.limits.keep-alive
- sidecar.limits.proofs-in-flight
- sidecar.limits.proofs-per-second
- sidecar.listen
- sidecar.log
- sidecar.node-host
- sidecar.outage-proof
- sidecar.persist
- sidecar.proof-life
- sidecar.reload-interval
- sidecar.session
- sidecar.settle
- sidecar.skew
- sidecar.tls
{{- end -}}

{{/*
How long a pod may take to end. When the public listener has finished, Doorward gives the admin listener 5 s, what is under way with the
identity server one request's time (`socket-timeout-millis`, 10 s) and its loops 5 s; 5 s more, so that the kubelet need not hurry it.
*/}}
{{- define "doorward.gracePeriod" -}}
{{- $shutdown := .Values.shutdown -}}
{{- $request := div (add (int (default 10000 (index .Values.config "socket-timeout-millis"))) 999) 1000 -}}
{{- $sum := add $shutdown.endpointsSeconds $shutdown.drainSeconds 5 (max 10 $request) 5 5 -}}
{{- if ne .Values.mode "proxy" }}{{ $sum = add $sum $shutdown.applicationSeconds }}{{ end -}}
{{- $sum -}}
{{- end -}}
