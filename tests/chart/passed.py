"""Every value of values.yaml, with another content than its default, and the place of the rendered objects where it must arrive.

A group is one rendering: a base, and values that can stand together. A place is an object (its kind, and `-admin` or `-upstream` where the name
ends so), a colon, and keys; items of lists go by their `name`. `adapter:` is the configuration. What stands there must hold the
value, or what is given as a third, and without the value must not.
"""

import base64
import json

import chart
from test_refusals import BASE, GIVEN, PROXY, changed

POD = "Deployment:spec.template.spec"
APPLICATION, DOORWARD = f"{POD}.containers.application", f"{POD}.initContainers.doorward"
FILES = f"{POD}.volumes.doorward-config.projected.sources"
PEER = [{"ipBlock": {"cidr": "10.9.0.0/16"}}]
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMTIz\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nNDU2\n-----END PRIVATE KEY-----\n"
ABSENT = object()


def b64(text):
    return base64.b64encode(text.encode()).decode()


def secret(name, **items):
    return [{"secret": {"name": name, "items": [{"key": key, "path": path.replace("__", "/")} for path, key in items.items()]}}]


def container(name):
    return [{"name": name, "image": "registry.example.com/tool:1"}]


def probe(path):
    return {"httpGet": {"path": path, "port": 8080}, "periodSeconds": 7}


# The application's pods, as far as it goes at once.
SIDECAR = [
    ("replicas", 3, "Deployment:spec.replicas"),
    ("publicUrl", "https://other.example.com", "adapter:sidecar.public-url"),
    ("keycloak.realm", "other", "adapter:realm"),
    ("keycloak.authServerUrl", "https://other-sso.example.com/auth", "adapter:auth-server-url"),
    ("keycloak.resource", "other-web", "adapter:resource"),
    ("keycloak.registerNode", True, "adapter:register-node-at-startup"),
    ("keycloak.registerPeriod", 777, "adapter:register-node-period"),
    ("clientSecret.existingSecret", "some-client", FILES, secret("some-client", **{"client-secret": "some-secret"})),
    ("clientSecret.key", "some-secret", FILES, secret("some-client", **{"client-secret": "some-secret"})),
    ("cookieKeys.existingSecret", "some-keys", FILES, secret("some-keys", **{"cookie-keys__0": "b", "cookie-keys__1": "a"})),
    ("cookieKeys.keys", ["b", "a"], FILES, secret("some-keys", **{"cookie-keys__0": "b", "cookie-keys__1": "a"})),
    ("adminToken.existingSecret", "some-token", FILES, secret("some-token", **{"admin-token": "some-token-key"})),
    ("adminToken.key", "some-token-key", FILES, secret("some-token", **{"admin-token": "some-token-key"})),
    ("tls.existingSecret", "some-tls", FILES, secret("some-tls", **{"tls__tls.crt": "tls.crt", "tls__tls.key": "tls.key"})),
    ("adminTls.existingSecret", "some-admin-tls", FILES,
     secret("some-admin-tls", **{"admin-tls__tls.crt": "tls.crt", "admin-tls__tls.key": "tls.key"})),
    ("truststore.existingSecret", "some-ca", FILES, secret("some-ca", truststore="ca.p12", **{"truststore-password": "word"})),
    ("truststore.key", "ca.p12", FILES, secret("some-ca", truststore="ca.p12", **{"truststore-password": "word"})),
    ("truststore.passwordKey", "word", "adapter:truststore-password", "${file:/etc/doorward/truststore-password}"),
    ("tokenStore", "session", "adapter:token-store"),
    ("trustedProxies", ["10.7.0.0/16"], "adapter:sidecar.trusted-proxies"),
    ("config", {"sidecar": {"headers": {"X-Forwarded-Name": "name"}}}, "adapter:"),
    ("image.repository", "other.example.com/doorward", f"{DOORWARD}.image", "other.example.com/doorward:9.9"),
    ("image.tag", "9.9", f"{DOORWARD}.image", "other.example.com/doorward:9.9"),
    ("image.pullPolicy", "Always", f"{DOORWARD}.imagePullPolicy"),
    ("imagePullSecrets", [{"name": "registry"}], f"{POD}.imagePullSecrets"),
    ("application.image", "other.example.com/shop:2", f"{APPLICATION}.image"),
    ("application.pullPolicy", "Never", f"{APPLICATION}.imagePullPolicy"),
    ("application.port", 3456, f"{APPLICATION}.ports.application.containerPort"),
    ("application.command", ["/shop"], f"{APPLICATION}.command"),
    ("application.args", ["--fast"], f"{APPLICATION}.args"),
    ("application.env", [{"name": "A", "value": "b"}], f"{APPLICATION}.env"),
    ("application.envFrom", [{"configMapRef": {"name": "shop"}}], f"{APPLICATION}.envFrom"),
    ("application.volumeMounts", [{"name": "scratch", "mountPath": "/tmp"}], f"{APPLICATION}.volumeMounts"),
    ("application.resources", {"requests": {"cpu": "3m"}}, f"{APPLICATION}.resources"),
    ("application.startupProbe", probe("/a"), f"{APPLICATION}.startupProbe"),
    ("application.livenessProbe", probe("/b"), f"{APPLICATION}.livenessProbe"),
    ("application.readinessProbe", probe("/c"), f"{APPLICATION}.readinessProbe"),
    ("application.lifecycle", {"preStop": {"sleep": {"seconds": 9}}}, f"{APPLICATION}.lifecycle"),
    ("application.securityContext", {"runAsUser": 1234}, f"{APPLICATION}.securityContext"),
    ("application.initContainers", container("first"), f"{POD}.initContainers"),
    ("application.containers", container("beside"), f"{POD}.containers"),
    ("ports.public", 8085, f"{DOORWARD}.ports.doorward.containerPort"),
    ("ports.admin", 9085, f"{DOORWARD}.ports.doorward-admin.containerPort"),
    ("adminAddress", "all", "adapter:sidecar.admin.listen", "[::]:9085"),
    ("ipFamily", "IPv6", "adapter:sidecar.listen", "[::]:8085"),
    ("persist.sizeLimit", "600Mi", f"{POD}.volumes.doorward-ended.emptyDir.sizeLimit"),
    ("shutdown.drainSeconds", 26, "adapter:sidecar.limits.drain"),
    ("terminationGracePeriodSeconds", 500, f"{POD}.terminationGracePeriodSeconds"),
    ("service.type", "LoadBalancer", "Service:spec.type"),
    ("service.port", 8443, "Service:spec.ports.https.port"),
    ("service.nodePort", 30443, "Service:spec.ports.https.nodePort"),
    ("service.sessionAffinity", "ClientIP", "Service:spec.sessionAffinity"),
    ("service.externalTrafficPolicy", "Local", "Service:spec.externalTrafficPolicy"),
    ("service.annotations", {"a": "service"}, "Service:metadata.annotations"),
    ("adminService.port", 9443, "Service-admin:spec.ports.admin.port"),
    ("adminService.annotations", {"a": "admin"}, "Service-admin:metadata.annotations"),
    ("networkPolicy.public", PEER, "NetworkPolicy:spec.ingress.0.from"),
    ("networkPolicy.identityServer", PEER, "NetworkPolicy:spec.ingress.1.from"),
    ("networkPolicy.metrics", [{"ipBlock": {"cidr": "10.8.0.0/16"}}], "NetworkPolicy:spec.ingress.1.from"),
    ("networkPolicy.nodes", ["10.6.0.0/16"], "NetworkPolicy:spec.ingress.2.from", [{"ipBlock": {"cidr": "10.6.0.0/16"}}]),
    ("ingress.enabled", True, "Ingress:kind", "Ingress"),
    ("ingress.className", "nginx", "Ingress:spec.ingressClassName"),
    ("ingress.annotations", {"a": "ingress"}, "Ingress:metadata.annotations"),
    ("ingress.tlsSecret", "some-ingress-tls", "Ingress:spec.tls", [{"secretName": "some-ingress-tls"}]),
    ("httpRoute.enabled", True, "HTTPRoute:kind", "HTTPRoute"),
    ("httpRoute.parentRefs", [{"name": "gate"}], "HTTPRoute:spec.parentRefs"),
    ("httpRoute.annotations", {"a": "route"}, "HTTPRoute:metadata.annotations"),
    ("podMonitor.enabled", True, "PodMonitor:kind", "PodMonitor"),
    ("podMonitor.labels", {"a": "monitor"}, "PodMonitor:metadata.labels"),
    ("podMonitor.interval", "45s", "PodMonitor:spec.podMetricsEndpoints.0.interval"),
    ("podMonitor.tlsConfig", {"serverName": "x"}, "PodMonitor:spec.podMetricsEndpoints.0.tlsConfig"),
    ("podDisruptionBudget.maxUnavailable", "40%", "PodDisruptionBudget:spec.maxUnavailable"),
    ("strategy", {"rollingUpdate": {"maxSurge": 3}}, "Deployment:spec.strategy"),
    ("resources", {"limits": {"memory": "600Mi"}}, f"{DOORWARD}.resources"),
    ("securityContext", {"runAsUser": 4321}, f"{DOORWARD}.securityContext"),
    ("podSecurityContext", {"fsGroup": 99}, f"{POD}.securityContext"),
    ("serviceAccount.name", "some-account", f"{POD}.serviceAccountName"),
    ("serviceAccount.annotations", {"a": "account"}, "ServiceAccount:metadata.annotations"),
    ("extraEnv", [{"name": "DOORWARD__X", "value": "y"}], f"{DOORWARD}.env"),
    ("extraEnvFrom", [{"secretRef": {"name": "more"}}], f"{DOORWARD}.envFrom"),
    ("extraVolumes", [{"name": "scratch", "emptyDir": {}}], f"{POD}.volumes"),
    ("extraVolumeMounts", [{"name": "scratch", "mountPath": "/scratch"}], f"{DOORWARD}.volumeMounts"),
    ("podLabels", {"a": "pod"}, "Deployment:spec.template.metadata.labels"),
    ("podAnnotations", {"a": "pod"}, "Deployment:spec.template.metadata.annotations"),
    ("commonLabels", {"b": "common"}, "Service-admin:metadata.labels"),
    ("nodeSelector", {"a": "node"}, f"{POD}.nodeSelector"),
    ("affinity", {"podAntiAffinity": {}}, f"{POD}.affinity"),
    ("tolerations", [{"key": "web"}], f"{POD}.tolerations"),
    ("topologySpreadConstraints", [{"topologyKey": "zone"}], f"{POD}.topologySpreadConstraints"),
    ("priorityClassName", "high", f"{POD}.priorityClassName"),
    ("hostAliases", [{"ip": "10.1.1.1"}], f"{POD}.hostAliases"),
]

PROXIED = [
    ("upstream.url", "http://other:1234", "adapter:sidecar.upstream"),
    ("publicClient", True, "adapter:public-client"),
    ("clientSecret.existingSecret", "", "adapter:credentials", ABSENT),
    ("image.digest", "sha256:" + 64 * "a", f"{POD}.containers.doorward.image", "registry.example.com/doorward@sha256:" + 64 * "a"),
    ("networkPolicy.upstream.podLabels", {"app": "other"}, "NetworkPolicy-upstream:spec.podSelector.matchLabels"),
    ("networkPolicy.upstream.port", 4321, "NetworkPolicy-upstream:spec.ingress.0.ports", [{"port": 4321}]),
    ("truststore.existingConfigMap", "some-map", FILES, [{"configMap": {"name": "some-map"}}]),
    ("podDisruptionBudget.minAvailable", 1, "PodDisruptionBudget:spec.minAvailable"),
    ("nameOverride", "other-name", "Service:spec.selector", {"app.kubernetes.io/name": "other-name"}),
    ("fullnameOverride", "other-full", "ConfigMap:metadata.name"),
    ("shutdown.endpointsSeconds", 6, f"{POD}.containers.doorward.lifecycle.preStop.sleep.seconds"),
    ("persist.enabled", False, "adapter:sidecar.persist", ABSENT),
    ("serviceAccount.create", False, "ServiceAccount:kind", ABSENT),
    ("adminService.clusterDomain", "other.domain", "notes:", ".svc.other.domain:"),
]

WITHOUT = [
    ("shutdown.applicationSeconds", 70, f"{POD}.terminationGracePeriodSeconds", 125),
    ("keycloak.realm", "", "adapter:realm", ABSENT),
    ("provider.url", "https://id.example.com", "adapter:provider-url"),
    ("provider.clientId", "other-client", "adapter:client-id"),
    ("networkPolicy.enabled", False, "NetworkPolicy:kind", ABSENT),
    ("podDisruptionBudget.enabled", False, "PodDisruptionBudget:kind", ABSENT),
]

AS_VALUES = [
    ("clientSecret.value", "other-secret", "Secret:data.client-secret", b64("other-secret")),
    ("cookieKeys.values", [43 * "a", 43 * "b"], "Secret:data", {"cookie-key-0": b64(43 * "a"), "cookie-key-1": b64(43 * "b")}),
    ("adminToken.value", 20 * "c", "Secret:data.admin-token", b64(20 * "c")),
    ("tls.certificate", CERTIFICATE, "Secret:data", {"tls.crt": b64(CERTIFICATE)}),
    ("tls.key", KEY, "Secret:data", {"tls.key": b64(KEY)}),
    ("adminTls.certificate", CERTIFICATE, "Secret:data", {"admin-tls.crt": b64(CERTIFICATE)}),
    ("adminTls.key", KEY, "Secret:data", {"admin-tls.key": b64(KEY)}),
    ("truststore.pem", CERTIFICATE, "ConfigMap:data", {"truststore.pem": CERTIFICATE}),
]

INCLUDED = [
    ("mode", "include", "Deployment:kind", ABSENT),
    ("include.selectorLabels", {"app": "other"}, "Service:spec.selector"),
    ("include.upstream", "http://127.0.0.1:5678", "adapter:sidecar.upstream"),
]

GROUPS = [(BASE, SIDECAR), (PROXY, PROXIED), (BASE, WITHOUT), (GIVEN, AS_VALUES), (BASE, INCLUDED)]
# Tested elsewhere: which changes roll the pods is changes.py's affair.
ELSEWHERE = {"reload"}


def tree(rendered):
    """The objects by kind and end of the name, the configuration as an object, and the notes."""
    found = {"notes": rendered.notes}
    for thing in rendered.objects:
        end = next((end for end in ("-admin", "-upstream") if thing["metadata"]["name"].endswith(end)), "")
        found[thing["kind"] + end] = thing
    return found | {"adapter": json.loads(found["ConfigMap"]["data"]["adapter.json"])}


def at(here, place):
    """What stands at a place; `ABSENT` where nothing does. A key may hold dots only as the last one."""
    kind, path = place.split(":")
    here = here.get(kind, ABSENT)
    for name in filter(None, path.split(".")):
        if isinstance(here, list):
            here = {item.get("name", str(number)): item for number, item in enumerate(here)}
        here = here.get(name, ABSENT) if isinstance(here, dict) else ABSENT
    return here


def holds(there, wanted):
    """Mappings may have further keys, and lists further items, but these in this order; a text holds its parts."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(key in there and holds(there[key], value) for key, value in wanted.items())
    if isinstance(wanted, list):
        items = iter(there if isinstance(there, list) else [])
        return all(any(holds(item, one) for item in items) for one in wanted)
    if isinstance(there, str) and isinstance(wanted, str):
        return wanted in there if "\n" in there else wanted == there
    return type(there) is type(wanted) and there == wanted


def complaints(copy):
    """Values that do not arrive."""
    for base, entries in GROUPS:
        before = chart.render(copy, base)
        after = chart.render(copy, changed(base, {path: value for path, value, *_ in entries}))
        if before.error or after.error:
            yield f"values: cannot be rendered: {before.error}{after.error}"
            continue
        before, after = tree(before), tree(after)
        for path, value, place, *wanted in entries:
            wanted = wanted[0] if wanted else value
            if not arrives(before, place, wanted) and arrives(after, place, wanted):
                continue
            yield f"values: {path} does not arrive at {place}, or stood there before: {at(after, place)}"


def arrives(here, place, wanted):
    there = at(here, place)
    return there is ABSENT if wanted is ABSENT else there is not ABSENT and holds(there, wanted)
