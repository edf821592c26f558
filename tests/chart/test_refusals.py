"""Values that cannot work are refused, by a message that begins with the value to change."""

import copy
import unittest

import chart

BASE = chart.values_of(chart.CHART / "ci/sidecar-keycloak-values.yaml")
PROXY = chart.values_of(chart.CHART / "ci/proxy-keycloak-values.yaml")
GIVEN = chart.values_of(chart.CHART / "ci/sidecar-given-secrets-values.yaml")

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
    (BASE, {"terminationGracePeriodSeconds": 30}, "terminationGracePeriodSeconds: must be at least 80"),
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
    (BASE, {"config": {"credentials": {"secret": "hush"}}}, "config.credentials.secret: would stand in a ConfigMap"),
    (BASE, {"config": {"sidecar": {"provider": {"client-secret": "hush"}}}}, "config.sidecar.provider.client-secret: would stand in a ConfigMap"),
]


def changed(base, changes):
    """The values with those at dotted paths in place of what is there."""
    values = copy.deepcopy(base)
    for path, value in changes.items():
        *parents, last = path.split(".")
        here = values
        for name in parents:
            here = here.setdefault(name, {})
        here[last] = value
    return values


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
        for base, changes, beginning in IMPOSSIBLE:
            with self.subTest(changes=changes):
                self.assertIn(f"doorward: {beginning}", chart.render(chart.CHART, changed(base, changes)).error)

    def test_no_message_shows_a_secret(self):
        for base, changes, _ in IMPOSSIBLE:
            self.assertNotIn("hush", chart.render(chart.CHART, changed(base, changes)).error)

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
