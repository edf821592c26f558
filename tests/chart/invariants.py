"""What holds of the chart in every combination of values, beside what the schemas of Kubernetes say.

Each function takes what was rendered and the values, and gives a line for whatever is wrong. They read the objects as a cluster would: by
names, labels and numbers of ports, not by where they stand in a template.
"""

import json
import re

import exposure
from chart import NAMESPACE, RELEASE
from objects import DOORWARD, adapter, containers, doorward, port_of, template

def every_object_is_in_the_release(rendered, values):
    if values.get("mode") == "include":
        return
    called = values.get("fullnameOverride", f"{RELEASE}-doorward")
    for thing in rendered.objects:
        if not thing["metadata"]["name"].startswith(called):
            yield f"{thing['kind']} {thing['metadata']['name']}: is not called after the release"
        if thing["metadata"].get("namespace") != NAMESPACE:
            yield f"{thing['kind']}: is not in the namespace of the release"
        if thing["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") != "Helm":
            yield f"{thing['kind']}: does not say whose it is"


def the_objects_are_there(rendered, values):
    wanted = {"ConfigMap", "Service"} | ({"Deployment"})
    wanted |= {kind for kind, key in [("Ingress", "ingress"), ("HTTPRoute", "httpRoute"), ("PodMonitor", "podMonitor")]
               if values.get(key, {}).get("enabled")}
    if values.get("mode") != "include":
        wanted |= {"PodDisruptionBudget"} if values.get("podDisruptionBudget", {}).get("enabled", True) else set()
        wanted |= {"ServiceAccount"} if values.get("serviceAccount", {}).get("create", True) else set()
    if values.get("networkPolicy", {}).get("enabled", True):
        wanted |= {"NetworkPolicy"}
    given = [values.get(key, {}).get(name) for key, name in
             [("clientSecret", "value"), ("adminToken", "value"), ("cookieKeys", "values"), ("tls", "key"), ("adminTls", "key")]]
    if any(given):
        wanted |= {"Secret"}
    there = {thing["kind"] for thing in rendered.objects}
    if there != wanted:
        yield f"the kinds are {sorted(there)}, and should be {sorted(wanted)}"


def pods_are_restricted(rendered, values):
    """Pod Security Standard `restricted`, and more: a read-only root, and no token of the cluster."""
    spec = template(rendered)["spec"]
    if spec.get("automountServiceAccountToken") is not False:
        yield "the pod mounts a service account's token"
    for account in rendered.all("ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield "the ServiceAccount hands out its token"
    for host in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
        if spec.get(host):
            yield f"the pod has {host}"
    for container in containers(rendered):
        context = {**spec.get("securityContext", {}), **container.get("securityContext", {})}
        wanted = {"runAsNonRoot": True, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
                  "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}
        for key, value in wanted.items():
            if context.get(key) != value:
                yield f"container {container['name']}: {key} is {context.get(key)}"
        if context.get("privileged") or context.get("runAsUser") == 0:
            yield f"container {container['name']}: is privileged"


def doorward_is_where_the_mode_says(rendered, values):
    spec = template(rendered)["spec"]
    sidecars = [one["name"] for one in spec.get("initContainers", []) if one.get("restartPolicy") == "Always"]
    plain = [one["name"] for one in spec["containers"]]
    if values.get("mode", "sidecar") == "proxy":
        if sidecars or plain != [DOORWARD]:
            yield "mode proxy: Doorward is not the one container"
        if "sleep" not in doorward(rendered).get("lifecycle", {}).get("preStop", {}):
            yield "Doorward stops before load balancers know"
    else:
        if sidecars != [DOORWARD] or DOORWARD in plain:
            yield "Doorward is no native sidecar"
        if spec["initContainers"][-1]["name"] != DOORWARD:
            yield "init containers run while Doorward is registered already"
        if doorward(rendered).get("lifecycle"):
            yield "the sidecar has a lifecycle, which would run at once and not at its turn"
        if not spec["containers"][0].get("lifecycle", {}).get("preStop"):
            yield "the application stops before load balancers know"


def doorward_is_started_and_probed(rendered, values):
    container, config = doorward(rendered), adapter(rendered)
    if container.get("args") != ["serve", "-c", "/etc/doorward/adapter.json"] or "command" in container:
        yield f"Doorward is started with {container.get('args')}"
    if not container.get("image", "").startswith(values["image"]["repository"] + ("@sha256:" if "digest" in values["image"] else ":")):
        yield f"the image is {container.get('image')}"
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
    listening = {"doorward": port_of(config["sidecar"]["listen"]), "doorward-admin": port_of(config["sidecar"]["admin"]["listen"])}
    if ports != listening:
        yield f"the container's ports are {ports}, but Doorward listens on {listening}"
    scheme = "HTTPS" if "tls" in config["sidecar"]["admin"] else "HTTP"
    for probe, path in [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")]:
        asked = container.get(probe, {}).get("httpGet", {})
        if asked != {"path": path, "port": "doorward-admin", "scheme": scheme}:
            yield f"{probe} asks {asked}"
    address = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    if address not in container.get("env", []):
        yield "Doorward is not told the pod's address"
    resources = container.get("resources", {})
    if not (resources.get("requests", {}).keys() >= {"cpu", "memory"} and "memory" in resources.get("limits", {})):
        yield "Doorward's resources are not bounded"


def it_has_time_to_end(rendered, values):
    spec, shutdown = template(rendered)["spec"], values.get("shutdown", {})
    least = shutdown.get("endpointsSeconds", 5) + adapter(rendered)["sidecar"]["limits"]["drain"] + 25
    least += shutdown.get("applicationSeconds", 30) if values.get("mode", "sidecar") != "proxy" else 0
    if spec.get("terminationGracePeriodSeconds", 30) < least:
        yield f"the grace period is {spec.get('terminationGracePeriodSeconds')} s, and {least} s are needed"


def selectors_choose_the_pods(rendered, values):
    labels = template(rendered)["metadata"]["labels"]
    chosen = [(f"{kind} {thing['metadata']['name']}", at(thing["spec"])) for kind, at in [
        ("Deployment", lambda spec: spec["selector"]["matchLabels"]),
        ("Service", lambda spec: spec["selector"]),
        ("PodDisruptionBudget", lambda spec: spec["selector"]["matchLabels"]),
        ("PodMonitor", lambda spec: spec["selector"]["matchLabels"]),
        ("NetworkPolicy", lambda spec: spec["podSelector"].get("matchLabels")),
    ] for thing in rendered.all(kind) if not thing["metadata"]["name"].endswith("-upstream")]
    chosen += [("topologySpreadConstraints", one["labelSelector"]["matchLabels"])
               for one in template(rendered)["spec"].get("topologySpreadConstraints", [])]
    if values.get("mode") != "include" and labels.get("app.kubernetes.io/instance") != RELEASE:
        yield f"the pods bear no label of this release: {labels}"
    for what, selector in chosen:
        if not selector or not selector.items() <= labels.items():
            yield f"{what}: {selector} does not choose the pods ({labels})"


def services_lead_to_listeners(rendered, values):
    """By number: named ports of native sidecars are not resolved before Kubernetes 1.33, and by network plugins of any age."""
    config = adapter(rendered)["sidecar"]
    for suffix, listen in [("", config["listen"]), ("-admin", config["admin"]["listen"])]:
        service = rendered.one("Service", suffix)
        if service is None or [port["targetPort"] for port in service["spec"]["ports"]] != [port_of(listen)]:
            yield f"Service{suffix}: does not lead to {listen}"
    public, admin = rendered.one("Service"), rendered.one("Service", "-admin")
    if public and public["spec"].get("publishNotReadyAddresses"):
        yield "users are sent to pods that are not ready"
    if admin and admin["spec"].get("publishNotReadyAddresses", False) != (values.get("mode", "sidecar") != "proxy"):
        yield "Service-admin: whether pods that are not ready hear of ends is not as it should be"
    if public and "port" not in values.get("service", {}) and public["spec"]["ports"][0]["port"] != (443 if "tls" in config else 80):
        yield "Service: its port is not the scheme's own"
    for service, tls in [(public, "tls" in config), (admin, "tls" in config["admin"])]:
        if service and service["spec"]["ports"][0].get("appProtocol") != ("https" if tls else "http"):
            yield f"Service {service['metadata']['name']}: appProtocol is wrong"


def routes_lead_to_the_service(rendered, values):
    service = rendered.one("Service")
    ports = {port["name"]: port["port"] for port in service["spec"]["ports"]} if service else {}
    host = values.get("publicUrl", "").split("://")[-1].split(":")[0]
    for ingress in rendered.all("Ingress"):
        rule = ingress["spec"]["rules"][0]
        backend = rule["http"]["paths"][0]["backend"]["service"]
        if backend["name"] != service["metadata"]["name"] or backend["port"].get("name") not in ports:
            yield f"Ingress: leads to {backend}"
        if rule["host"] != host or rule["http"]["paths"][0]["path"] != "/":
            yield "Ingress: is not for all of the host"
        secret = values["ingress"].get("tlsSecret")
        if ingress["spec"].get("tls") != ([{"hosts": [host], "secretName": secret}] if secret else None):
            yield f"Ingress: TLS is {ingress['spec'].get('tls')}"
    for route in rendered.all("HTTPRoute"):
        backend = route["spec"]["rules"][0]["backendRefs"][0]
        if backend["name"] != service["metadata"]["name"] or backend["port"] not in ports.values() or route["spec"]["hostnames"] != [host]:
            yield f"HTTPRoute: leads to {backend}"
    for monitor in rendered.all("PodMonitor"):
        endpoint, admin = monitor["spec"]["podMetricsEndpoints"][0], adapter(rendered)["sidecar"]["admin"]
        if (endpoint["port"], endpoint["path"], endpoint["scheme"]) != ("doorward-admin", "/metrics", "https" if "tls" in admin else "http"):
            yield f"PodMonitor: asks {endpoint}"


def policies_admit_who_is_named(rendered, values):
    """Who may open a connection to which port; `None` stands for everybody."""
    policy = rendered.one("NetworkPolicy")
    named = values.get("networkPolicy", {})
    if policy is None:
        if named.get("enabled", True):
            yield "there is no NetworkPolicy"
        return
    config, nodes = adapter(rendered)["sidecar"], [{"ipBlock": {"cidr": cidr}} for cidr in named.get("nodes", [])]
    public, admin = port_of(config["listen"]), port_of(config["admin"]["listen"])
    wanted = [({public}, named.get("public") or None)]
    if told := named.get("identityServer", []) + named.get("metrics", []):
        wanted.append(({admin}, told))
    if nodes:
        own = {values.get("application", {}).get("port", 3000)} if values.get("mode", "sidecar") == "sidecar" else set()
        wanted.append(({public, admin} | own, nodes))
    rules = [({port["port"] for port in rule["ports"]}, rule.get("from") or None) for rule in policy["spec"].get("ingress") or []]
    if rules != wanted or policy["spec"].get("policyTypes") != ["Ingress"]:
        yield f"NetworkPolicy: admits {rules}, and should admit {wanted}"
    second = rendered.one("NetworkPolicy", "-upstream")
    if labels := named.get("upstream", {}).get("podLabels"):
        spec = second["spec"] if second else {}
        mine = {"podSelector": {"matchLabels": rendered.one("Deployment")["spec"]["selector"]["matchLabels"]}}
        if spec.get("podSelector", {}).get("matchLabels") != labels or spec.get("ingress") != [
                {"ports": [{"port": named["upstream"].get("port", 3000), "protocol": "TCP"}], "from": [mine, *nodes]}]:
            yield f"NetworkPolicy-upstream: {spec}"
    elif second:
        yield "NetworkPolicy-upstream: nobody asked for it"


def budgets_let_nodes_be_drained(rendered, values):
    for budget in rendered.all("PodDisruptionBudget"):
        spec, named = budget["spec"], values.get("podDisruptionBudget", {})
        wanted = {"minAvailable": named["minAvailable"]} if "minAvailable" in named else {"maxUnavailable": named.get("maxUnavailable", 1)}
        if {key: spec[key] for key in ("minAvailable", "maxUnavailable") if key in spec} != wanted:
            yield f"PodDisruptionBudget: {spec}"
        if spec.get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield "PodDisruptionBudget: pods that are not ready hold a drain up"


def paths_are_on_volumes(rendered, values):
    """The root is read-only, and empty but for the binary."""
    mounts = {mount["mountPath"]: mount for mount in doorward(rendered)["volumeMounts"]}
    text = json.dumps(adapter(rendered))
    for path in set(re.findall(r'"(?:\$\{file:)?(/(?:etc|var|run)/[^"}]+)', text)):
        on = [mount for place, mount in mounts.items() if path.startswith(place + "/")]
        writes = path == adapter(rendered)["sidecar"].get("persist")
        if not on or (writes and on[0].get("readOnly")):
            yield f"{path} is not on a volume, or not on one that can be written"


def the_application_is_reached(rendered, values):
    upstream, mode = adapter(rendered)["sidecar"]["upstream"], values.get("mode", "sidecar")
    loopback = "[::1]" if values.get("ipFamily") == "IPv6" else "127.0.0.1"
    wanted = {"proxy": values.get("upstream", {}).get("url"), "include": values.get("include", {}).get("upstream", "http://127.0.0.1:3000"),
              "sidecar": f"http://{loopback}:{values.get('application', {}).get('port', 3000)}"}[mode]
    if upstream != wanted:
        yield f"the application is not where Doorward looks for it: {upstream}, not {wanted}"


def volumes_and_accounts_are_there(rendered, values):
    spec = template(rendered)["spec"]
    there = [volume["name"] for volume in spec.get("volumes", [])]
    if len(set(there)) != len(there):
        yield f"two volumes have one name: {there}"
    mounted = set()
    for container in containers(rendered):
        for mount in container.get("volumeMounts", []):
            mounted.add(mount["name"])
            if mount["name"] not in there:
                yield f"container {container['name']}: the volume {mount['name']} is not there"
            if "subPath" in mount:
                yield f"container {container['name']}: {mount['mountPath']} is a subPath, in which the kubelet swaps nothing"
    if extra := set(there) - mounted:
        yield f"nobody mounts {sorted(extra)}"
    config = [mount for mount in doorward(rendered).get("volumeMounts", []) if mount["mountPath"] == "/etc/doorward"]
    if not config or config[0].get("readOnly") is not True:
        yield "the configuration is not mounted, or not read-only"
    accounts = [account["metadata"]["name"] for account in rendered.all("ServiceAccount")]
    if accounts and spec.get("serviceAccountName") not in accounts:
        yield "the pods have another account than the one that is made"


def changes_arrive_as_it_was_said(rendered, values):
    """When the checksum changes is test_changes.py's affair."""
    if len(template(rendered)["metadata"].get("annotations", {}).get("checksum/doorward", "")) != 64:
        yield "the pods do not roll on any change"


def notes_say_what_to_do(rendered, values):
    """The URIs are compared with those that `doorward check` prints, where it runs."""
    config, notes = adapter(rendered), rendered.notes
    words = config["sidecar"]["admin"].get("public-path")
    several = values.get("replicas", 1) is None or values.get("replicas", 1) > 1
    admin = rendered.one("Service", "-admin")
    scheme = "https" if "tls" in config["sidecar"]["admin"] else "http"
    if values.get("mode") == "include" or "realm" not in config:
        return
    url = f"{scheme}://{admin['metadata']['name']}.{NAMESPACE}.svc.cluster.local:{admin['spec']['ports'][0]['port']}/"
    if words:
        url = values["publicUrl"] + words + "/"
    elif config["token-store"] == "session" and several:
        url = f"{scheme}://${{application.session.host}}:{port_of(config['sidecar']['admin']['listen'])}/"
    if f"\n  {url}\n" not in notes:
        yield f"the notes do not name the Admin URL {url}"
    heeded = {
        "tokenStore": config["token-store"] == "session" and several,
        "networkPolicy.identityServer": values.get("networkPolicy", {}).get("enabled", True) and not words
        and not values.get("networkPolicy", {}).get("identityServer"),
        "networkPolicy.upstream.podLabels": values.get("mode") == "proxy" and not rendered.one("NetworkPolicy", "-upstream"),
    }
    for value, due in heeded.items():
        if (f"WARNING {value}:" in notes) != bool(due):
            yield f"the notes warn of {value}, or do not, without reason"


ALL = [
    every_object_is_in_the_release, the_objects_are_there, pods_are_restricted, doorward_is_where_the_mode_says,
    *exposure.ALL, doorward_is_started_and_probed, it_has_time_to_end, selectors_choose_the_pods, services_lead_to_listeners, routes_lead_to_the_service,
    policies_admit_who_is_named, budgets_let_nodes_be_drained, paths_are_on_volumes, the_application_is_reached,
    volumes_and_accounts_are_there, changes_arrive_as_it_was_said, notes_say_what_to_do,
]


def complaints(rendered, values):
    """Whatever is wrong. An invariant that cannot even be looked at is one that does not hold."""
    if template(rendered) is None:
        return ["there is not one Deployment"]
    found = []
    for invariant in ALL:
        try:
            found += [f"{invariant.__name__}: {line}" for line in invariant(rendered, values) or []]
        except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
            found.append(f"{invariant.__name__}: cannot be told: {error!r}")
    return found
