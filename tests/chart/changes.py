"""Which changes of values roll the pods: those of keys that a running process cannot change, and with `reload: restart` any."""

import re

import chart
import invariants
from test_refusals import BASE, GIVEN, changed

PROVENANCE = chart.ROOT / "src/config/provenance.rs"

# A change of values, and whether the pods must roll for it where files are taken in by a running process.
CHANGES = [
    (BASE, {"keycloak.resource": "other"}, True),
    (BASE, {"tokenStore": "session"}, True),
    (BASE, {"persist.enabled": False}, True),
    (BASE, {"config": {"sidecar": {"log": {"format": "json"}}}}, True),
    (BASE, {"config": {"sidecar": {"session": {"idle": "10m"}}}}, True),
    (BASE, {"config": {"sidecar": {"rules": [{"path": "/*", "access": "public"}]}}}, False),
    (BASE, {"config": {"sidecar": {"headers": {"X-Forwarded-Name": "name"}}}}, False),
    (BASE, {"publicUrl": "https://other.example.com"}, False),
    (BASE, {"trustedProxies": ["10.0.0.0/8"]}, False),
    (BASE | {"keycloak": BASE["keycloak"] | {"authServerUrl": "/auth"}}, {"publicUrl": "https://other.example.com"}, True),
    (GIVEN, {"reload": "hot", "truststore.pem": GIVEN["tls"]["certificate"].replace("MIIB", "MIIC")}, False),
    (GIVEN, {"reload": "hot", "clientSecret.value": "another"}, False),
]


def checksum(copy, values):
    return invariants.template(chart.render(copy, values))["metadata"]["annotations"]["checksum/doorward"]


def complaints(copy):
    """What rolls pods for nothing, and what does not roll them though it should."""
    for base, changes, rolls in CHANGES:
        before, after = (checksum(copy, changed(base, {"reload": "hot", **more})) for more in ({}, changes))
        if (before != after) != rolls:
            yield f"changes: {changes} {'does not roll' if rolls else 'rolls'} the pods"
        before, after = (checksum(copy, changed(base, {**more, "reload": "restart"})) for more in ({}, changes))
        if before == after:
            yield f"changes: {changes} does not roll the pods with `reload: restart`"


def fixed_keys_of_the_chart():
    text = (chart.CHART / "templates/_pod.tpl").read_text()
    return re.findall(r"^- (\S+)$", text.split('define "doorward.fixedKeys"')[1].split("{{- end")[0], re.MULTILINE)


def fixed_keys_of_the_program():
    listed = re.search(r"const FIXED: \[&str; \d+\] = \[(.*?)\];", PROVENANCE.read_text(), re.DOTALL)[1]
    return re.findall(r'"(\S+)"', listed)
