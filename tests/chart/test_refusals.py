"""Values that cannot work are refused, by a message that begins with the value to change."""

import copy
import functools
import re
import unittest

import chart
import exposure
import objects
import schemas

BASE = chart.values_of(chart.CHART / "ci/sidecar-keycloak-values.yaml")
PROXY = chart.values_of(chart.CHART / "ci/proxy-keycloak-values.yaml")
GIVEN = chart.values_of(chart.CHART / "ci/sidecar-given-secrets-values.yaml")

# Without a client secret: other credentials are to be given.
OTHER = {**BASE, "clientSecret": {}}

# What the schema refuses: a path, a value there, and what of the path must be named.
WRONG_VALUES = [
    ("mode", "daemon"), ("replicas", "3"), ("replicas", -1), ("publicUrl", "shop.example.com"), ("publicUrl", "https://shop.example.com/app"),
    ("keycloak.realms", "shop"), ("keycloak.registerNode", "yes"), ("keycloak.registerPeriod", 1), ("provider.url", "id.example.com"),
    ("clientSecret.secret", "x"), ("clientSecret.existingSecret", "Not A Name"), ("cookieKeys.keys", []), ("cookieKeys.values", ["too-short"]),
    ("adminToken.value", "short"), ("tls.certificate", "shop.crt"), ("adminTls.key", "shop.key"), ("truststore.pem", "ca.crt"),
    ("tokenStore", "redis"), ("trustedProxies", ["ingress"]), ("config", []), ("reload", True), ("image.repo", "x"), ("image.digest", "sha256:12"),
    ("image.pullPolicy", "Sometimes"), ("imagePullSecrets", ["registry"]), ("upstream.url", "shop:3000"), ("application.port", 0),
    ("application.port", "http"), ("application.command", "run"), ("include.upstream", "3000"), ("ports.public", 80), ("ports.metrics", 9000),
    ("adminAddress", "127.0.0.1"), ("ipFamily", "ipv6"), ("persist.sizeLimit", 5), ("shutdown.drainSeconds", "25s"), ("shutdown.endpointsSeconds", 0),
    ("service.type", "ExternalName"), ("service.sessionAffinity", "Cookie"), ("adminService.type", "LoadBalancer"),
    ("networkPolicy.identityServer", [{}]), ("networkPolicy.identityServer", [{"ip": "10.0.0.0/8"}]), ("networkPolicy.nodes", ["10.0.0.1"]),
    ("ingress.hosts", []), ("httpRoute.enabled", "true"), ("podMonitor.interval", "30"), ("podDisruptionBudget.minAvailable", "two"),
    ("config", {"credentials": "hush"}), ("config", {"sidecar": None}), ("config", {"sidecar": {"admin": []}}),
    ("serviceAccount.automount", True), ("replicaCount", 2), ("podLabels.app", 3),
]

# What goes together with nothing: changes of a base, and how the message begins.
IMPOSSIBLE = [
    (BASE, {"image.repository": ""}, "image.repository: is needed"),
    (BASE, {"application.image": ""}, "application.image: is needed"),
    (BASE, {"mode": "include"}, "include.selectorLabels: are needed"),
    (PROXY, {"upstream.url": ""}, "upstream.url: is needed"),
    (BASE, {"keycloak.realm": ""}, "keycloak.realm: is needed"),
    (BASE, {"keycloak.authServerUrl": ""}, "keycloak.authServerUrl: is needed"),
    (BASE, {"keycloak.resource": ""}, "keycloak.resource: is needed"),
    (BASE, {"provider.url": "https://id.example.com"}, "provider.url: cannot stand beside"),
    (BASE, {"keycloak.realm": "", "provider.url": "https://id.example.com"}, "provider.clientId: is needed"),
    (BASE, {"publicUrl": ""}, "publicUrl: is needed"),
    (BASE, {"clientSecret.existingSecret": ""}, "clientSecret.existingSecret: is needed"),
    (BASE, {"publicClient": True}, "publicClient: cannot be true"),
    (BASE, {"clientSecret.value": "x"}, "clientSecret.value: cannot stand beside"),
    (BASE, {"adminToken.existingSecret": "x", "adminToken.value": "0123456789abcdef"}, "adminToken.value: cannot stand beside"),
    (GIVEN, {"cookieKeys.existingSecret": "x"}, "cookieKeys.values: cannot stand beside"),
    (GIVEN, {"tls.existingSecret": "x"}, "tls.certificate: cannot stand beside"),
    (GIVEN, {"tls.certificate": ""}, "tls.certificate: is needed"),
    (GIVEN, {"adminTls.key": ""}, "adminTls.key: is needed"),
    (GIVEN, {"truststore.existingSecret": "x"}, "truststore: one of"),
    (BASE, {"truststore.passwordKey": "password"}, "truststore.passwordKey: names"),
    (BASE, {"replicas": 2, "cookieKeys.existingSecret": ""}, "cookieKeys.existingSecret: is needed"),
    (BASE, {"replicas": None, "cookieKeys.existingSecret": ""}, "cookieKeys.existingSecret: is needed"),
    (BASE, {"ports.admin": 8080}, "ports.admin: must not be"),
    (BASE, {"application.port": 9080}, "application.port: must be neither"),
    (BASE, {"terminationGracePeriodSeconds": 30}, "terminationGracePeriodSeconds: must be at least 85"),
    (BASE, {"terminationGracePeriodSeconds": 99, "config": {"socket-timeout-millis": 24500}}, "terminationGracePeriodSeconds: must be at least 100"),
    (PROXY, {"podDisruptionBudget.minAvailable": 2}, "podDisruptionBudget.minAvailable: must be less"),
    (BASE, {"keycloak.registerNode": True, "networkPolicy.identityServer": []}, "networkPolicy.identityServer: must name"),
    (BASE, {"keycloak.registerNode": True, "publicClient": True, "clientSecret.existingSecret": ""}, "keycloak.registerNode: has no effect"),
    (BASE, {"keycloak.realm": "", "keycloak.registerNode": True, "provider.url": "https://id.example.com", "provider.clientId": "x"},
     "keycloak.registerNode: belongs to Keycloak"),
    (BASE, {"networkPolicy.upstream.podLabels": {"app": "shop"}}, "networkPolicy.upstream.podLabels: is for mode proxy"),
    (BASE, {"httpRoute.enabled": True}, "httpRoute.parentRefs: are needed"),
    (BASE, {"publicUrl": "", "config": {"sidecar": {"allowed-hosts": ["shop.example.com"]}}, "ingress.enabled": True}, "ingress.enabled: needs publicUrl"),
    (BASE, {"config": {"realm": "other"}}, "config.realm: is written by the chart; set keycloak.realm"),
    (BASE, {"config": {"sidecar": {"listen": "0.0.0.0:80"}}}, "config.sidecar.listen: is written by the chart; set ports.public"),
    (BASE, {"config": {"sidecar": {"cookie": {"keys": ["x"]}}}}, "config.sidecar.cookie.keys: is written by the chart"),
    (BASE, {"config": {"sidecar": {"admin": {"tls": {}}}}}, "config.sidecar.admin.tls: is written by the chart"),
    (BASE, {"config": {"realm": ""}}, "config.realm: is written by the chart; set keycloak.realm"),
    (BASE, {"config": {"sidecar": {"listen": None}}}, "config.sidecar.listen: is written by the chart; set ports.public"),
    (BASE, {"config": {"credentials": {"secret": "${env.SECRET}"}}}, "config.credentials.secret: cannot stand beside clientSecret"),
    (BASE, {"config": {"credentials": {"jwt": {"client-keystore-file": "/x"}}}}, "config.credentials: cannot stand beside clientSecret"),
    (BASE, {"config": {"sidecar": {"provider": {"private-key-file": "/x"}}}}, "config.sidecar.provider.private-key-file: cannot stand beside"),
    (OTHER, {"config": {"credentials": {"secret": "${env.SECRET:hush}"}}}, "config.credentials.secret: would stand in a ConfigMap"),
    (OTHER, {"config": {"credentials": {"secret": "hush${"}}}, "config.credentials.secret: would stand in a ConfigMap"),
    (OTHER, {"config": {"credentials": {"secret": "${env.A:${env.B:hush}}"}}}, "config.credentials.secret: would stand in a ConfigMap"),
    (OTHER, {"config": {"credentials": {"secret": 8}}}, "config.credentials.secret: would stand in a ConfigMap"),
    (BASE, {"config": {"proxy-url": "http://user:hush@proxy:3128"}}, "config.proxy-url: would stand in a ConfigMap"),
    (BASE, {"config": {"proxy-url": "http://user:${env.X:hush}@proxy:3128"}}, "config.proxy-url: would stand in a ConfigMap"),
    (BASE, {"config": {"proxy-url": "http://hush@proxy:3128"}}, "config.proxy-url: would stand in a ConfigMap"),
    (BASE, {"config": {"proxy-url": "user:hu/sh@proxy:3128"}}, "config.proxy-url: would stand in a ConfigMap"),
    (BASE, {"config": {"sidecar": {"reload-interval": "0s"}}}, "config.sidecar.reload-interval: must not be 0"),
    (BASE, {"config": {"sidecar": {"reload-interval": 0}}}, "config.sidecar.reload-interval: must not be 0"),
    (BASE, {"adminToken.value": 20 * "x", "fullnameOverride": "shop-doorward"}, "clientSecret.existingSecret: bears the name"),
    (GIVEN, {"ingress.tlsSecret": "shop-doorward"}, "ingress.tlsSecret: bears the name"),
    (BASE, {"truststore.existingConfigMap": "shop-doorward"}, "truststore.existingConfigMap: bears the name"),
    (BASE, {"commonLabels": {"app.kubernetes.io/name": "x"}}, "commonLabels.app.kubernetes.io/name: is set already"),
    (BASE, {"commonLabels": {"helm.sh/chart": "x"}}, "commonLabels.helm.sh/chart: is set already"),
    (BASE, {"podLabels": {"app.kubernetes.io/instance": "x"}}, "podLabels.app.kubernetes.io/instance: is set already"),
    (BASE, {"podLabels": {"team": "x"}, "commonLabels": {"team": "y"}}, "podLabels.team: is set already"),
    (BASE, {"podAnnotations": {"checksum/doorward": "x"}}, "podAnnotations.checksum/doorward: is set already"),
    (BASE, {"service.nodePort": 30080}, "service.nodePort: is for"),
    (BASE, {"service.externalTrafficPolicy": "Local"}, "service.externalTrafficPolicy: is for"),
    (BASE, {"podDisruptionBudget.maxUnavailable": 0}, "podDisruptionBudget.maxUnavailable: must not be 0"),
    (BASE, {"podDisruptionBudget.maxUnavailable": "0%"}, "podDisruptionBudget.maxUnavailable: must not be 0"),
    (BASE, {"podDisruptionBudget.minAvailable": "100%"}, "podDisruptionBudget.minAvailable: must leave"),
    (BASE, {"replicas": 3, "podDisruptionBudget.minAvailable": "67%"}, "podDisruptionBudget.minAvailable: must leave"),
]

# What looks like one of these, and goes.
POSSIBLE = [
    (OTHER, {"config": {"credentials": {"secret": "${env.SECRET}"}}}),
    (OTHER, {"config": {"credentials": {"secret": "${env.A,env.B:${file:/run/${env.C}/secret}}"}}}),
    (OTHER, {"config": {"sidecar": {"provider": {"private-key-file": "/x"}}}}),
    (BASE, {"config": {"credentials": {"provider": "jwt", "jwt": {"client-keystore-file": "/x"}}}}),
    (BASE, {"config": {"proxy-url": "http://proxy:3128"}}),
    (BASE, {"config": {"proxy-url": "http://${env.USER}:${env.WORD}@proxy:3128"}}),
    (BASE, {"config": {"proxy-url": "http://user:${file:/x}@proxy:3128"}}),
    (BASE, {"reload": "restart", "config": {"sidecar": {"reload-interval": "0s"}}}),
    (BASE, {"config": {"sidecar": {"reload-interval": "500ms"}}}),
    (BASE, {"replicas": 3, "podDisruptionBudget.minAvailable": "66%"}),
    (BASE, {"service.type": "NodePort", "service.nodePort": 30080, "service.externalTrafficPolicy": "Local"}),
    (BASE, {"strategy": {"type": "Recreate"}}),
    # Names that YAML would take for something else.
    (BASE, {"clientSecret": {"existingSecret": "123", "key": "true"}, "cookieKeys": {"existingSecret": "1e3", "keys": ["1", "null"]},
            "priorityClassName": "0", "serviceAccount.name": "007", "ingress": {"enabled": True, "className": "1", "tlsSecret": "2"},
            "fullnameOverride": "123", "nameOverride": "456"}),
    (BASE, {"truststore": {"existingConfigMap": "123", "key": "1"}, "podMonitor.enabled": True, "networkPolicy.nodes": ["10.0.0.0/8"]}),
]

# Keys of `adapter.json` that the chart writes from values of their own, and that value.
OWN_KEYS = {
    "realm": "keycloak.realm", "auth-server-url": "keycloak.authServerUrl", "resource": "keycloak.resource",
    "register-node-at-startup": "keycloak.registerNode", "register-node-period": "keycloak.registerPeriod", "provider-url": "provider.url",
    "client-id": "provider.clientId", "public-client": "publicClient", "token-store": "tokenStore", "truststore": "truststore.existingSecret",
    "truststore-password": "truststore.passwordKey", "sidecar.listen": "ports.public", "sidecar.upstream": "upstream.url",
    "sidecar.public-url": "publicUrl", "sidecar.trusted-proxies": "trustedProxies", "sidecar.persist": "persist.enabled",
    "sidecar.tls": "tls.existingSecret", "sidecar.cookie.keys": "cookieKeys.existingSecret", "sidecar.limits.drain": "shutdown.drainSeconds",
    "sidecar.admin.listen": "adminAddress", "sidecar.admin.token": "adminToken.existingSecret", "sidecar.admin.tls": "adminTls.existingSecret",
}

# Keys whose values the program reads as secrets, and that have no value of their own here.
SECRET_KEYS = [
    "credentials.secret", "credentials.secret-jwt.secret", "credentials.jwt.client-keystore-password", "credentials.jwt.client-key-password",
    "client-keystore-password", "client-key-password", "sidecar.provider.client-secret", "sidecar.provider.private-key",
]

# Names in the program that sound like secrets and are switches.
NO_SECRETS = {"expose-token", "forward-access-token", "always-refresh-token",
              # Refused by the program, whatever they hold.
              "request-object-signing-key-password", "request-object-signing-keystore-password"}


def nested(path, value):
    """The mapping in which the value stands at a dotted path."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


ALL = [
    *IMPOSSIBLE,
    *((BASE, {"config": nested(path, "other")}, f"config.{path}: is written by the chart; set {value}") for path, value in OWN_KEYS.items()),
    *((OTHER if path.startswith(("credentials", "sidecar")) else BASE, {"config": nested(path, "hush")},
       f"config.{path}: would stand in a ConfigMap") for path in SECRET_KEYS),
]


def changed(base, changes):
    """The values with those at dotted paths in place of what is there."""
    values = copy.deepcopy(base)
    for path, value in changes.items():
        *parents, last = path.split(".")
        here = values
        for name in parents:
            here = here.setdefault(name, {})
        here[last] = copy.deepcopy(value)
    return values


@functools.cache
def said():
    """The refusals, without the words around them."""
    return [chart.render(chart.CHART, changed(base, changes)).error.split("doorward: ")[-1] for base, changes, _ in ALL]


def wrong(copy, base, changes):
    """Why these values cannot be rendered, or what of it Kubernetes would not take."""
    rendered = chart.render(copy, changed(base, changes))
    if rendered.error:
        yield rendered.error
    for thing in rendered.objects:
        yield from schemas.complaints(thing, schemas.VERSIONS[-1:])
        # Kubernetes minds, and its schema does not tell.
        strategy = thing["spec"]["strategy"] if thing["kind"] == "Deployment" else {}
        if "rollingUpdate" in strategy and strategy["type"] != "RollingUpdate":
            yield f"rollingUpdate stands beside {strategy['type']}"


class Refusals(unittest.TestCase):
    def test_the_schema_refuses_what_a_value_may_not_be_and_names_it(self):
        for path, value in WRONG_VALUES:
            with self.subTest(path=path, value=value):
                error = chart.render(chart.CHART, changed(BASE, {path: value})).error
                # A key that is not known is named below the path of its parent.
                for name in path.split("."):
                    self.assertIn(name, error)
                self.assertNotIn("template", error)

    def test_what_cannot_stand_together_is_refused_by_the_name_of_the_value_to_change(self):
        for base, changes, beginning in ALL:
            with self.subTest(changes=changes):
                self.assertIn(f"doorward: {beginning}", chart.render(chart.CHART, changed(base, changes)).error)

    def test_no_message_shows_a_secret(self):
        for base, changes, _ in ALL:
            self.assertNotIn("hush", chart.render(chart.CHART, changed(base, changes)).error)

    def test_no_refusal_is_left_out(self):
        text = (chart.CHART / "templates/_validate.tpl").read_text()
        messages = re.findall(r'"doorward\.refuse" (?:\(printf )?"((?:[^"\\]|\\.)*)"', text)
        self.assertEqual(len(messages), text.count('include "doorward.refuse"'))
        for message in messages:
            pattern = ".*".join(map(re.escape, message.split("%s")))
            self.assertTrue(any(re.match(pattern, error) for error in said()), message)

    def test_the_keys_that_the_chart_writes_are_its_own(self):
        written = set()
        for file in chart.COMBINATIONS:
            values = chart.values_of(file)
            adapter = objects.adapter(chart.render_combination(chart.CHART, values))
            own = {".".join(path) for path, _ in exposure.leaves(values.get("config", {}))}
            written |= {".".join(path) for path, _ in exposure.leaves(adapter)} - own
        known = {*OWN_KEYS, "credentials.secret"}
        self.assertEqual({path for path in written if not any(f"{path}.".startswith(f"{key}.") for key in known)}, set())

    def test_the_keys_that_the_program_calls_secret_are_known(self):
        named = "\n".join(file.read_text() for file in (chart.ROOT / "src/config").glob("*.rs"))
        called = set(re.findall(r'"([a-z-]*(?:secret|password|private-key|token))"', named)) - NO_SECRETS
        self.assertEqual(called - {path.split(".")[-1] for path in [*OWN_KEYS, *SECRET_KEYS]}, set())

    def test_what_looks_like_one_of_these_and_works_is_taken_and_is_valid_to_kubernetes(self):
        for base, changes in POSSIBLE:
            with self.subTest(changes=changes):
                self.assertEqual(list(wrong(chart.CHART, base, changes)), [])

    def test_the_bases_are_taken_as_they_are(self):
        for base in (BASE, PROXY, GIVEN):
            self.assertEqual(chart.render(chart.CHART, base).error, "")

    def test_the_schema_knows_every_value_and_no_other(self):
        with chart.helm.Chart.load(chart.CHART) as loaded:
            missing = list(difference(loaded.values, loaded.schema, ""))
        self.assertEqual(missing, [])


def difference(values, schema, path):
    """Keys of our own mappings that stand in one of the two only. What is Kubernetes' own is open."""
    if schema.get("additionalProperties") is not False:
        return
    known = set(schema["properties"]) - {"global"}
    for name in known ^ set(values):
        yield f"{path}{name}"
    for name in known & set(values):
        if isinstance(values[name], dict):
            yield from difference(values[name], schema["properties"][name], f"{path}{name}.")


if __name__ == "__main__":
    unittest.main()
