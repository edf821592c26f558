"""Whether an object is one that Kubernetes knows, with no key that it does not.

Kubernetes' own kinds are validated by its published schemas, strictly. Two kinds are custom resources, whose schemas are not among them: for
these a closed schema stands here, of the keys that the chart writes, after the definitions of their projects (Gateway API v1, Prometheus
operator monitoring.coreos.com/v1).
"""

import functools

import jsonschema
import kubernetes_validate
from kubernetes_validate import utils

# The oldest that the chart says it takes, the first in which native sidecars are stable, and the newest that is known.
VERSIONS = ["1.30", "1.33", utils.latest_version()]

# Read once each, not once an object.
utils.schema_contents = functools.cache(utils.schema_contents)


def closed(required=(), **properties):
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": list(required)}


def listed(item):
    return {"type": "array", "minItems": 1, "items": item}


NAME = {"type": "string", "minLength": 1, "maxLength": 253}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
METADATA = closed(["name", "namespace"], name=NAME, namespace=NAME, labels=TEXTS, annotations=TEXTS)

HTTP_ROUTE = closed(
    ["spec"], apiVersion={"const": "gateway.networking.k8s.io/v1"}, kind={"const": "HTTPRoute"}, metadata=METADATA,
    spec=closed(
        ["parentRefs", "rules"],
        parentRefs=listed(closed(["name"], group=NAME, kind=NAME, name=NAME, namespace=NAME, sectionName=NAME, port=PORT)),
        hostnames=listed(NAME),
        rules=listed(closed(
            ["backendRefs"],
            matches=listed(closed(path=closed(type={"enum": ["Exact", "PathPrefix", "RegularExpression"]}, value={"type": "string"}))),
            backendRefs=listed(closed(["name", "port"], name=NAME, port=PORT)),
        )),
    ),
)

POD_MONITOR = closed(
    ["spec"], apiVersion={"const": "monitoring.coreos.com/v1"}, kind={"const": "PodMonitor"}, metadata=METADATA,
    spec=closed(
        ["selector", "podMetricsEndpoints"],
        selector=closed(["matchLabels"], matchLabels=TEXTS),
        podMetricsEndpoints=listed(closed(
            ["port", "path"], port=NAME, path={"type": "string", "pattern": "^/"},
            interval={"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"}, scheme={"enum": ["http", "https"]}, tlsConfig={"type": "object"},
        )),
    ),
)

CUSTOM = {"HTTPRoute": HTTP_ROUTE, "PodMonitor": POD_MONITOR}


def complaints(thing, versions=VERSIONS):
    """What is wrong with one object, a line for each version that minds."""
    where = f"{thing['kind']} {thing['metadata'].get('name')}"
    if thing["kind"] in CUSTOM:
        validator = jsonschema.Draft202012Validator(CUSTOM[thing["kind"]])
        return [f"{where}: {error.json_path}: {error.message}" for error in validator.iter_errors(thing)]
    found = []
    for version in versions:
        try:
            kubernetes_validate.validate(thing, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{where}: {'.'.join(map(str, error.path))}: {error.message} (Kubernetes {version})")
        except (kubernetes_validate.SchemaNotFoundError, KeyError) as error:
            found.append(f"{where}: is of no known kind: {getattr(error, 'message', error)}")
    return found
