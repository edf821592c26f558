{{/*
Combinations of values that cannot work. Each message begins with the value to change; types and single values are values.schema.json's.
*/}}

{{- define "doorward.refuse" -}}
{{- fail (printf "\n\ndoorward: %s\n" .) -}}
{{- end -}}

{{/* Whether there may be several pods for good: a number of them, or one that an autoscaler or another chart chooses. */}}
{{- define "doorward.several" -}}
{{- if or (eq .Values.mode "include") (kindIs "invalid" .Values.replicas) -}}yes{{- else if gt (int .Values.replicas) 1 -}}yes{{- end -}}
{{- end -}}

{{- define "doorward.validate" -}}
{{- include "doorward.validateMode" . -}}
{{- include "doorward.validateClient" . -}}
{{- include "doorward.validateSecrets" . -}}
{{- include "doorward.validateConfig" . -}}
{{- include "doorward.validatePods" . -}}
{{- include "doorward.validateNetwork" . -}}
{{- include "doorward.validateLabels" . -}}
{{- end -}}

{{- define "doorward.validateMode" -}}
{{- if not .Values.image.repository -}}
{{- include "doorward.refuse" "image.repository: is needed: build the image and push it to a registry that the cluster reads" -}}
{{- end -}}
{{- if and (eq .Values.mode "sidecar") (not .Values.application.image) -}}
{{- include "doorward.refuse" "application.image: is needed in mode sidecar; for an application that is deployed already choose `mode: proxy` or `mode: include`" -}}
{{- end -}}
{{- if and (eq .Values.mode "proxy") (not .Values.upstream.url) -}}
{{- include "doorward.refuse" "upstream.url: is needed in mode proxy, for example http://shop.shop.svc.cluster.local:3000" -}}
{{- end -}}
{{- if and (eq .Values.mode "include") (not .Values.include.selectorLabels) -}}
{{- include "doorward.refuse" "include.selectorLabels: are needed in mode include: the labels of the pods that your chart makes" -}}
{{- end -}}
{{- end -}}

{{- define "doorward.validateClient" -}}
{{- $keycloak := .Values.keycloak -}}
{{- $provider := .Values.provider -}}
{{- if and $keycloak.realm $provider.url -}}
{{- include "doorward.refuse" "provider.url: cannot stand beside keycloak.realm: one identity server signs users in" -}}
{{- end -}}
{{- if not (or $keycloak.realm $provider.url) -}}
{{- include "doorward.refuse" "keycloak.realm: is needed, with keycloak.authServerUrl and keycloak.resource; for another provider provider.url and provider.clientId" -}}
{{- end -}}
{{- if and $keycloak.realm (not (and $keycloak.authServerUrl $keycloak.resource)) -}}
{{- include "doorward.refuse" (printf "keycloak.%s: is needed beside keycloak.realm" (ternary "resource" "authServerUrl" (ne $keycloak.authServerUrl ""))) -}}
{{- end -}}
{{- if and $provider.url (not $provider.clientId) -}}
{{- include "doorward.refuse" "provider.clientId: is needed beside provider.url" -}}
{{- end -}}
{{- if not (or .Values.publicUrl (dig "sidecar" "allowed-hosts" "" .Values.config)) -}}
{{- include "doorward.refuse" "publicUrl: is needed: the origin that users see, for example https://app.example.com" -}}
{{- end -}}
{{- $own := pick (dig "sidecar" "provider" (dict) .Values.config) "client-authentication" "client-secret" "private-key" "private-key-file" -}}
{{- $credentials := or (include "doorward.hasClientSecret" .) .Values.config.credentials $own -}}
{{- if and .Values.publicClient $credentials -}}
{{- include "doorward.refuse" "publicClient: cannot be true beside credentials (clientSecret, config.credentials)" -}}
{{- end -}}
{{- if not (or .Values.publicClient $credentials (index .Values.config "bearer-only")) -}}
{{- include "doorward.refuse" "clientSecret.existingSecret: is needed, or other credentials under config.credentials, or publicClient: true" -}}
{{- end -}}
{{- include "doorward.validateCredentials" . -}}
{{- end -}}

{{/* What proves the client stands in one place, unless `provider` says which counts. */}}
{{- define "doorward.validateCredentials" -}}
{{- if include "doorward.hasClientSecret" . -}}
{{- $theirs := default (dict) .Values.config.credentials -}}
{{- if hasKey $theirs "secret" -}}
{{- include "doorward.refuse" "config.credentials.secret: cannot stand beside clientSecret" -}}
{{- end -}}
{{- if and (omit $theirs "provider") (not $theirs.provider) -}}
{{- include "doorward.refuse" "config.credentials: cannot stand beside clientSecret, unless config.credentials.provider names the entry to use" -}}
{{- end -}}
{{- range $name, $_ := pick (dig "sidecar" "provider" (dict) .Values.config) "client-secret" "private-key" "private-key-file" -}}
{{- include "doorward.refuse" (printf "config.sidecar.provider.%s: cannot stand beside clientSecret" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "doorward.validateSecrets" -}}
{{- range $name := list "clientSecret" "adminToken" -}}
{{- $value := index $.Values $name -}}
{{- if and $value.existingSecret $value.value -}}
{{- include "doorward.refuse" (printf "%s.value: cannot stand beside %s.existingSecret" $name $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.cookieKeys.existingSecret .Values.cookieKeys.values -}}
{{- include "doorward.refuse" "cookieKeys.values: cannot stand beside cookieKeys.existingSecret" -}}
{{- end -}}
{{- range $name := list "tls" "adminTls" -}}
{{- $value := index $.Values $name -}}
{{- if and $value.existingSecret (or $value.certificate $value.key) -}}
{{- include "doorward.refuse" (printf "%s.certificate: cannot stand beside %s.existingSecret" $name $name) -}}
{{- end -}}
{{- if ne (empty $value.certificate) (empty $value.key) -}}
{{- include "doorward.refuse" (printf "%s.%s: is needed beside its other half" $name (ternary "certificate" "key" (empty $value.certificate))) -}}
{{- end -}}
{{- end -}}
{{- $store := .Values.truststore -}}
{{- if gt (len (compact (list $store.existingSecret $store.existingConfigMap $store.pem))) 1 -}}
{{- include "doorward.refuse" "truststore: one of existingSecret, existingConfigMap and pem may be given" -}}
{{- end -}}
{{- if and $store.passwordKey (not $store.existingSecret) -}}
{{- include "doorward.refuse" "truststore.passwordKey: names a key of truststore.existingSecret, which is not given" -}}
{{- end -}}
{{- $own := include "doorward.fullname" . -}}
{{- if eq $store.existingConfigMap $own -}}
{{- include "doorward.refuse" "truststore.existingConfigMap: bears the name of the ConfigMap that the chart makes" -}}
{{- end -}}
{{- if include "doorward.secretData" . -}}
{{- range $name := list "clientSecret" "cookieKeys" "adminToken" "tls" "adminTls" "truststore" -}}
{{- if eq (index $.Values $name "existingSecret") $own -}}
{{- include "doorward.refuse" (printf "%s.existingSecret: bears the name of the Secret that the chart makes of what is given as a value" $name) -}}
{{- end -}}
{{- end -}}
{{- if eq .Values.ingress.tlsSecret $own -}}
{{- include "doorward.refuse" "ingress.tlsSecret: bears the name of the Secret that the chart makes of what is given as a value" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Keys that have values of their own: written in two places, one would be passed over in silence. */}}
{{- define "doorward.ownKeys" -}}
realm: keycloak.realm
auth-server-url: keycloak.authServerUrl
resource: keycloak.resource
register-node-at-startup: keycloak.registerNode
register-node-period: keycloak.registerPeriod
provider-url: provider.url
client-id: provider.clientId
public-client: publicClient
token-store: tokenStore
truststore: truststore.existingSecret
truststore-password: truststore.passwordKey
sidecar.listen: ports.public
sidecar.upstream: upstream.url
sidecar.public-url: publicUrl
sidecar.trusted-proxies: trustedProxies
sidecar.persist: persist.enabled
sidecar.tls: tls.existingSecret
sidecar.cookie.keys: cookieKeys.existingSecret
sidecar.limits.drain: shutdown.drainSeconds
sidecar.admin.listen: adminAddress
sidecar.admin.token: adminToken.existingSecret
sidecar.admin.tls: adminTls.existingSecret
{{- end -}}

{{/* Keys whose values are secrets: the ConfigMap shows them to whoever reads ConfigMaps. */}}
{{- define "doorward.secretKeys" -}}
- credentials.secret
- credentials.secret-jwt.secret
- credentials.jwt.client-keystore-password
- credentials.jwt.client-key-password
- client-keystore-password
- client-key-password
- sidecar.provider.client-secret
- sidecar.provider.private-key
- proxy-url
{{- end -}}

{{/*
What of a text would be a secret that everybody reads: all but `${file:…}` and `${env.…}`, whose defaults count as text. From the inside to the
outside, since a default may be another of these. Of the forward proxy's URL it is the user and the password.
*/}}
{{- define "doorward.inClear" -}}
{{- $text := .text -}}
{{- range until 8 -}}
{{- $text = regexReplaceAll "\\$\\{(file:[^${}]*|env\\.[^:${}]*:?)\\}" $text "" -}}
{{- end -}}
{{- if ne .path "proxy-url" -}}
{{- $text -}}
{{- else if regexMatch "^[^:@]+@|^[^:]*:.+@" (regexReplaceAll "^[^:/]*://" $text "") -}}
{{- $text -}}
{{- end -}}
{{- end -}}

{{/* Whether something stands in `config` at a path, be it empty: laid over, it would count. */}}
{{- define "doorward.isConfigured" -}}
{{- $here := .config -}}
{{- $there := true -}}
{{- range $name := splitList "." .path -}}
{{- if not (kindIs "map" $here) -}}{{- $there = false -}}
{{- else if not (hasKey $here $name) -}}{{- $there = false -}}{{- $here = "" -}}
{{- else -}}{{- $here = index $here $name -}}
{{- end -}}
{{- end -}}
{{- if $there }}yes{{ end -}}
{{- end -}}

{{/* What stands in `config` at a path, `nothing` where there is nothing. */}}
{{- define "doorward.configAt" -}}
{{- $here := .config -}}
{{- range $name := splitList "." .path -}}
{{- if kindIs "map" $here -}}{{- $here = index $here $name -}}{{- else -}}{{- $here = "" -}}{{- end -}}
{{- end -}}
{{- if kindIs "invalid" $here -}}{{- else -}}{{- toString $here -}}{{- end -}}
{{- end -}}

{{- define "doorward.validateConfig" -}}
{{- range $path, $value := include "doorward.ownKeys" . | fromYaml -}}
{{- if include "doorward.isConfigured" (dict "config" $.Values.config "path" $path) -}}
{{- include "doorward.refuse" (printf "config.%s: is written by the chart; set %s" $path $value) -}}
{{- end -}}
{{- end -}}
{{- range $path := include "doorward.secretKeys" . | fromYamlArray -}}
{{- $text := include "doorward.configAt" (dict "config" $.Values.config "path" $path) -}}
{{- if include "doorward.inClear" (dict "path" $path "text" $text) -}}
{{- include "doorward.refuse" (printf "config.%s: would stand in a ConfigMap; write ${file:…} or ${env.…} without a default, or use clientSecret" $path) -}}
{{- end -}}
{{- end -}}
{{- $interval := toString (dig "sidecar" "reload-interval" "" .Values.config) -}}
{{- if and (eq .Values.reload "hot") (regexMatch "^0+[a-z]*$" $interval) -}}
{{- include "doorward.refuse" "config.sidecar.reload-interval: must not be 0 with `reload: hot`: nobody would look at changed files; set `reload: restart`" -}}
{{- end -}}
{{- end -}}

{{- define "doorward.validatePods" -}}
{{- if and (include "doorward.several" .) (not (or .Values.cookieKeys.existingSecret .Values.cookieKeys.values)) -}}
{{- include "doorward.refuse" "cookieKeys.existingSecret: is needed where there may be several pods: what one sealed, another could not open" -}}
{{- end -}}
{{- if eq (int .Values.ports.public) (int .Values.ports.admin) -}}
{{- include "doorward.refuse" "ports.admin: must not be ports.public" -}}
{{- end -}}
{{- if and (eq .Values.mode "sidecar") (has (int .Values.application.port) (list (int .Values.ports.public) (int .Values.ports.admin))) -}}
{{- include "doorward.refuse" "application.port: must be neither ports.public nor ports.admin: they share the pod's address" -}}
{{- end -}}
{{- $sum := include "doorward.gracePeriod" . -}}
{{- with .Values.terminationGracePeriodSeconds -}}
{{- if lt (int .) (int $sum) -}}
{{- include "doorward.refuse" (printf "terminationGracePeriodSeconds: must be at least %s, what shutdown.* adds up to with what Doorward takes to end" $sum) -}}
{{- end -}}
{{- end -}}
{{- include "doorward.validateBudget" . -}}
{{- end -}}

{{- define "doorward.validateBudget" -}}
{{- $budget := .Values.podDisruptionBudget -}}
{{- $never := "no node could ever be drained" -}}
{{- if and $budget.enabled (kindIs "invalid" $budget.minAvailable) (has (toString $budget.maxUnavailable) (list "0" "0%" "00%" "000%")) -}}
{{- include "doorward.refuse" (printf "podDisruptionBudget.maxUnavailable: must not be 0: %s" $never) -}}
{{- end -}}
{{- if and $budget.enabled (kindIs "string" $budget.minAvailable) -}}
{{- $percent := int (trimSuffix "%" $budget.minAvailable) -}}
{{- $pods := int .Values.replicas -}}
{{- if or (ge $percent 100) (and (gt $percent 0) (gt $pods 0) (ge (div (add (mul $percent $pods) 99) 100) $pods)) -}}
{{- include "doorward.refuse" (printf "podDisruptionBudget.minAvailable: must leave a pod that may be away: %s" $never) -}}
{{- end -}}
{{- end -}}
{{- $atLeast := $budget.minAvailable -}}
{{- $numbers := not (or (kindIs "invalid" $atLeast) (kindIs "string" $atLeast) (kindIs "invalid" .Values.replicas)) -}}
{{- if and $budget.enabled $numbers (ge (int $atLeast) (int .Values.replicas)) -}}
{{- include "doorward.refuse" "podDisruptionBudget.minAvailable: must be less than replicas: no node could ever be drained" -}}
{{- end -}}
{{- end -}}

{{- define "doorward.validateNetwork" -}}
{{- $policy := .Values.networkPolicy -}}
{{- if .Values.keycloak.registerNode -}}
{{- if not .Values.keycloak.realm -}}
{{- include "doorward.refuse" "keycloak.registerNode: belongs to Keycloak: other providers know no nodes" -}}
{{- end -}}
{{- if .Values.publicClient -}}
{{- include "doorward.refuse" "keycloak.registerNode: has no effect with publicClient: Keycloak registers no nodes of a public client" -}}
{{- end -}}
{{- if and $policy.enabled (not $policy.identityServer) -}}
{{- include "doorward.refuse" "networkPolicy.identityServer: must name Keycloak's pods with keycloak.registerNode: it would wait for pods that it cannot reach" -}}
{{- end -}}
{{- end -}}
{{- if and $policy.upstream.podLabels (ne .Values.mode "proxy") -}}
{{- include "doorward.refuse" "networkPolicy.upstream.podLabels: is for mode proxy; in the others the application is in the same pod" -}}
{{- end -}}
{{- range $name := list "ingress" "httpRoute" -}}
{{- if and (index $.Values $name "enabled") (not $.Values.publicUrl) -}}
{{- include "doorward.refuse" (printf "%s.enabled: needs publicUrl, whose host it is for" $name) -}}
{{- end -}}
{{- end -}}
{{- range $name := list "nodePort" "externalTrafficPolicy" -}}
{{- if and (index $.Values.service $name) (eq $.Values.service.type "ClusterIP") -}}
{{- include "doorward.refuse" (printf "service.%s: is for service.type NodePort and LoadBalancer" $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- include "doorward.refuse" "httpRoute.parentRefs: are needed: the gateways that the route belongs to" -}}
{{- end -}}
{{- end -}}

{{/* A key that stood twice would count as it stands last: a selector would choose nothing. */}}
{{- define "doorward.validateLabels" -}}
{{- $selector := keys (include "doorward.selectorLabels" . | fromYaml) -}}
{{- $common := concat $selector (keys (include "doorward.ownLabels" . | fromYaml)) -}}
{{- $own := dict "commonLabels" $common "podLabels" (concat $selector (keys .Values.commonLabels)) -}}
{{- $_ := set $own "podAnnotations" (list "checksum/doorward" "kubectl.kubernetes.io/default-container") -}}
{{- range $name, $taken := $own -}}
{{- range $key, $_ := index $.Values $name -}}
{{- if has $key $taken -}}
{{- include "doorward.refuse" (printf "%s.%s: is set already, by the chart or by commonLabels" $name $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
