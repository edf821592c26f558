"""What the notes warn of, each with values that it is said of, and with a change of them that it is not said of."""

import chart
from test_refusals import BASE, PROXY, changed

SEVERAL = {"replicas": 2}
HERE = {"keycloak.registerNode": True}
INGRESS = {"ingress.enabled": True}
OUTSIDE = {"config": {"sidecar": {"admin": {"public-path": "/words"}}}}

# The beginning of a line, a base, what makes it due, and what makes it vanish.
WARNINGS = [
    ("WARNING cookieKeys:", BASE, {"cookieKeys.existingSecret": ""}, {"cookieKeys.existingSecret": "x"}),
    ("WARNING tokenStore:", BASE, SEVERAL | {"tokenStore": "session"}, {"tokenStore": "cookie"}),
    ("WARNING tokenStore:", BASE, SEVERAL | {"tokenStore": "session"}, {"replicas": 1}),
    ("WARNING networkPolicy.identityServer:", BASE, {"networkPolicy.identityServer": []}, OUTSIDE),
    ("NOTE keycloak.registerNode:", BASE, SEVERAL, HERE),
    ("NOTE keycloak.registerNode:", BASE, SEVERAL, {"replicas": 1}),
    ("WARNING keycloak.registerNode:", BASE, OUTSIDE | HERE, {"keycloak.registerNode": False}),
    ("WARNING networkPolicy.metrics:", BASE, {"podMonitor.enabled": True},
     {"networkPolicy.metrics": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}),
    ("NOTE trustedProxies:", BASE, INGRESS, {"trustedProxies": ["10.0.0.0/8"]}),
    ("NOTE trustedProxies:", BASE, {"httpRoute": {"enabled": True, "parentRefs": [{"name": "x"}]}}, {"httpRoute.enabled": False}),
    ("WARNING networkPolicy.enabled:", BASE, {"networkPolicy.enabled": False}, {"networkPolicy.enabled": True}),
    ("WARNING networkPolicy.upstream.podLabels:", PROXY, {"networkPolicy.upstream.podLabels": {}},
     {"networkPolicy.upstream.podLabels": {"app": "shop"}}),
    ("  (`redirect-rewrite-rules` change", BASE, {"config": {"redirect-rewrite-rules": {"^/a$": "/b"}}}, {"config": {}}),
    ('"Node Re-registration Timeout" of the client must be longer', BASE, HERE, {"keycloak.registerNode": False}),
    ("  backchannel_logout_uri ", BASE,
     {"keycloak.realm": "", "provider": {"url": "https://id.example.com", "clientId": "x"}}, {"keycloak.realm": "shop", "provider.url": ""}),
]


def said(copy, values, beginning):
    notes = chart.render(copy, values).notes
    return any(line.startswith(beginning) for line in notes.splitlines())


def complaints(copy):
    """What is not said where it is due, or is said without need."""
    for beginning, base, due, vain in WARNINGS:
        if not said(copy, changed(base, due), beginning):
            yield f"notes: {beginning} is not said with {due}"
        if said(copy, changed(base, due | vain), beginning):
            yield f"notes: {beginning} is said in vain with {due | vain}"
