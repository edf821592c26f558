{{/*
What the chart's own Secret holds: nothing where every secret exists already.
*/}}

{{- define "doorward.secretData" -}}
{{- $data := dict -}}
{{- with .Values.clientSecret.value }}{{ $_ := set $data "client-secret" (b64enc .) }}{{ end -}}
{{- with .Values.adminToken.value }}{{ $_ := set $data "admin-token" (b64enc .) }}{{ end -}}
{{- range $index, $key := .Values.cookieKeys.values }}{{ $_ := set $data (printf "cookie-key-%d" $index) (b64enc $key) }}{{ end -}}
{{- range $folder, $value := dict "tls" .Values.tls "admin-tls" .Values.adminTls -}}
{{- if $value.certificate -}}
{{- $_ := set $data (printf "%s.crt" $folder) (b64enc $value.certificate) -}}
{{- $_ := set $data (printf "%s.key" $folder) (b64enc $value.key) -}}
{{- end -}}
{{- end -}}
{{- with $data }}{{ toYaml . }}{{ end -}}
{{- end -}}
