"""What of the chart is shown to whom, in every combination of values: secrets, listeners, Services; and when probes act."""

import base64
import json

from objects import adapter, doorward


def given_secrets(values):
    """Texts of the values that are secret; of a key in PEM its first line of base64."""
    for name in ("clientSecret", "adminToken"):
        yield values.get(name, {}).get("value")
    yield from values.get("cookieKeys", {}).get("values", [])
    for name in ("tls", "adminTls"):
        yield next(iter(values.get(name, {}).get("key", "").splitlines()[1:]), None)


def secrets_stand_in_secrets_alone(rendered, values):
    """As they are, and in base64."""
    shown = {f"{thing['kind']} {thing['metadata']['name']}": json.dumps(thing) for thing in rendered.objects if thing["kind"] != "Secret"}
    for secret in filter(None, given_secrets(values)):
        for where, text in [*shown.items(), ("notes", rendered.notes)]:
            if secret in text or base64.b64encode(secret.encode()).decode() in text:
                yield f"{where}: shows a secret"


def probes_are_patient(rendered, values):
    """What a probe lasts for before it acts: a start may take a minute; half a minute of silence is an end; 10 s of it leads users elsewhere."""
    for probe, wanted in [("startupProbe", (1, 60)), ("livenessProbe", (10, 3)), ("readinessProbe", (5, 2))]:
        asked = doorward(rendered)[probe]
        if (asked.get("periodSeconds", 10), asked.get("failureThreshold", 3)) != wanted:
            yield f"{probe}: is not as patient as it should be: {asked}"


def listeners_are_where_they_should_be(rendered, values):
    six, config = values.get("ipFamily") == "IPv6", adapter(rendered)["sidecar"]
    every = "[::]" if six else "0.0.0.0"
    pod = "[${env.POD_IP}]" if six else "${env.POD_IP}"
    wanted = (every, every if values.get("adminAddress") == "all" else pod)
    there = tuple(address.rsplit(":", 1)[0] for address in (config["listen"], config["admin"]["listen"]))
    if there != wanted:
        yield f"the listeners are at {there}, and should be at {wanted}"


def services_are_of_the_type_that_was_asked_for(rendered, values):
    """The admin listener is for the cluster alone, whatever the other Service is."""
    for suffix, wanted in [("", values.get("service", {}).get("type", "ClusterIP")), ("-admin", "ClusterIP")]:
        spec = rendered.one("Service", suffix)["spec"]
        if spec.get("type", "ClusterIP") != wanted:
            yield f"Service{suffix}: is of type {spec.get('type')}, and should be {wanted}"
        if outside := {"externalIPs", "loadBalancerIP", "externalName"} & spec.keys():
            yield f"Service{suffix}: has {outside}"
        if wanted == "ClusterIP" and any("nodePort" in port for port in spec["ports"]):
            yield f"Service{suffix}: has a port of the nodes"


def the_configuration_is_laid_over(rendered, values):
    for path, value in leaves(values.get("config", {})):
        here = adapter(rendered)
        for name in path:
            here = here.get(name, {}) if isinstance(here, dict) else {}
        if here != value:
            yield f"config.{'.'.join(path)}: is {here} in adapter.json"


def leaves(tree, path=()):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, name))
        elif value is not None:
            yield (*path, name), value


ALL = [
    secrets_stand_in_secrets_alone, probes_are_patient, listeners_are_where_they_should_be, services_are_of_the_type_that_was_asked_for,
    the_configuration_is_laid_over,
]
