{{/*
`adapter.json`, from the values. Secrets are named in it, never written.
*/}}

{{/* Where the configuration and the secrets are mounted: one volume, whose files the kubelet swaps all at once. */}}
{{- define "doorward.folder" -}}/etc/doorward{{- end -}}

{{- define "doorward.hasClientSecret" -}}
{{- if or .Values.clientSecret.existingSecret .Values.clientSecret.value }}yes{{ end -}}
{{- end -}}

{{- define "doorward.hasAdminToken" -}}
{{- if or .Values.adminToken.existingSecret .Values.adminToken.value }}yes{{ end -}}
{{- end -}}

{{- define "doorward.hasTls" -}}
{{- if or .existingSecret .certificate }}yes{{ end -}}
{{- end -}}

{{- define "doorward.hasTruststore" -}}
{{- with .Values.truststore }}{{ if or .existingSecret .existingConfigMap .pem }}yes{{ end }}{{ end -}}
{{- end -}}

{{/* The application as Doorward reaches it. */}}
{{- define "doorward.upstream" -}}
{{- if eq .Values.mode "sidecar" -}}
{{- printf "http://%s:%d" (ternary "[::1]" "127.0.0.1" (eq .Values.ipFamily "IPv6")) (int .Values.application.port) -}}
{{- else if eq .Values.mode "proxy" -}}
{{- .Values.upstream.url -}}
{{- else -}}
{{- .Values.include.upstream -}}
{{- end -}}
{{- end -}}

{{- define "doorward.publicListen" -}}
{{- printf "%s:%d" (ternary "[::]" "0.0.0.0" (eq .Values.ipFamily "IPv6")) (int .Values.ports.public) -}}
{{- end -}}

{{- define "doorward.adminListen" -}}
{{- $six := eq .Values.ipFamily "IPv6" -}}
{{- $all := ternary "[::]" "0.0.0.0" $six -}}
{{- $pod := ternary "[${env.POD_IP}]" "${env.POD_IP}" $six -}}
{{- printf "%s:%d" (ternary $all $pod (eq .Values.adminAddress "all")) (int .Values.ports.admin) -}}
{{- end -}}

{{- define "doorward.prefix" -}}
{{- dig "sidecar" "path-prefix" "/oauth2" .Values.config -}}
{{- end -}}

{{/* The keys of the client: Keycloak's, or those of any provider. */}}
{{- define "doorward.client" -}}
{{- $client := dict -}}
{{- with .Values.keycloak -}}
{{- if .realm -}}
{{- $_ := set $client "realm" .realm -}}
{{- $_ := set $client "auth-server-url" .authServerUrl -}}
{{- $_ := set $client "resource" .resource -}}
{{- if .registerNode -}}
{{- $_ := set $client "register-node-at-startup" true -}}
{{- $_ := set $client "register-node-period" (int .registerPeriod) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.provider -}}
{{- if .url -}}
{{- $_ := set $client "provider-url" .url -}}
{{- $_ := set $client "client-id" .clientId -}}
{{- end -}}
{{- end -}}
{{- if .Values.publicClient -}}
{{- $_ := set $client "public-client" true -}}
{{- end -}}
{{- toJson $client -}}
{{- end -}}

{{/* `file`: a `${file:…}` of the mounted folder. */}}
{{- define "doorward.file" -}}
{{- printf "${file:/etc/doorward/%s}" . -}}
{{- end -}}

{{- define "doorward.tlsKeys" -}}
{{- dict "certificate" (printf "/etc/doorward/%s/tls.crt" .) "key" (printf "/etc/doorward/%s/tls.key" .) | toJson -}}
{{- end -}}

{{- define "doorward.sidecarKeys" -}}
{{- $admin := dict "listen" (include "doorward.adminListen" .) -}}
{{- if include "doorward.hasAdminToken" . -}}
{{- $_ := set $admin "token" (include "doorward.file" "admin-token") -}}
{{- end -}}
{{- if include "doorward.hasTls" .Values.adminTls -}}
{{- $_ := set $admin "tls" (include "doorward.tlsKeys" "admin-tls" | fromJson) -}}
{{- end -}}
{{- $sidecar := dict "listen" (include "doorward.publicListen" .) "upstream" (include "doorward.upstream" .) "admin" $admin -}}
{{- $_ := set $sidecar "limits" (dict "drain" (int .Values.shutdown.drainSeconds)) -}}
{{- if include "doorward.hasTls" .Values.tls -}}
{{- $_ := set $sidecar "tls" (include "doorward.tlsKeys" "tls" | fromJson) -}}
{{- end -}}
{{- with .Values.publicUrl -}}
{{- $_ := set $sidecar "public-url" . -}}
{{- end -}}
{{- with .Values.trustedProxies -}}
{{- $_ := set $sidecar "trusted-proxies" . -}}
{{- end -}}
{{- if .Values.persist.enabled -}}
{{- $_ := set $sidecar "persist" "/var/lib/doorward/ended" -}}
{{- end -}}
{{- $keys := list -}}
{{- range $index, $_ := ternary .Values.cookieKeys.keys .Values.cookieKeys.values (ne .Values.cookieKeys.existingSecret "") -}}
{{- $keys = append $keys (include "doorward.file" (printf "cookie-keys/%d" $index)) -}}
{{- end -}}
{{- with $keys -}}
{{- $_ := set $sidecar "cookie" (dict "keys" .) -}}
{{- end -}}
{{- toJson $sidecar -}}
{{- end -}}

{{- define "doorward.adapter" -}}
{{- $adapter := include "doorward.client" . | fromJson -}}
{{- $_ := set $adapter "token-store" .Values.tokenStore -}}
{{- if include "doorward.hasClientSecret" . -}}
{{- $_ := set $adapter "credentials" (dict "secret" (include "doorward.file" "client-secret")) -}}
{{- end -}}
{{- if include "doorward.hasTruststore" . -}}
{{- $_ := set $adapter "truststore" "/etc/doorward/truststore" -}}
{{- if .Values.truststore.passwordKey -}}
{{- $_ := set $adapter "truststore-password" (include "doorward.file" "truststore-password") -}}
{{- end -}}
{{- end -}}
{{- $_ := set $adapter "sidecar" (include "doorward.sidecarKeys" . | fromJson) -}}
{{- mergeOverwrite $adapter (deepCopy .Values.config) | toPrettyJson -}}
{{- end -}}
