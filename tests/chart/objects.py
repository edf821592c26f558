"""Parts of what was rendered, by what they are."""

import json

DOORWARD = "doorward"


def adapter(rendered):
    """The configuration that was rendered, as an object."""
    found = rendered.one("ConfigMap")
    return json.loads(found["data"]["adapter.json"]) if found else {}


def template(rendered):
    """The pod template, whoever's Deployment it is in."""
    deployments = rendered.all("Deployment")
    return deployments[0]["spec"]["template"] if len(deployments) == 1 else None


def containers(rendered):
    spec = template(rendered)["spec"]
    return spec.get("initContainers", []) + spec["containers"]


def doorward(rendered):
    return next((one for one in containers(rendered) if one["name"] == DOORWARD), {})


def port_of(address):
    return int(address.rsplit(":", 1)[1])
