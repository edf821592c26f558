"""Doorward's container on this machine, as a kubelet would run it: its volumes as folders, its environment, its arguments, its probes.

The binary is the release build (or DOORWARD); the identity server is the tests' own, built beside it (or IDENTITY_SERVER). Of the
configuration that was rendered one thing is changed: the identity server's address, by the variables that override keys.
"""

import base64
import contextlib
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import invariants
from chart import ROOT

BINARY = os.environ.get("DOORWARD", str(ROOT / "target/static/doorward"))
IDENTITY_SERVER = os.environ.get("IDENTITY_SERVER", str(pathlib.Path(BINARY).parent / "examples/identity_server"))
PATIENCE = 30
# Of `tokenStore: session`, whoever chooses it.
MEANT = "warning: token-store: is `session`:"
# Of a private key: the tests' identity server knows none.
UNKNOWN_KEY = "fault: the identity server does not accept the client's credentials"
STORES = ROOT / "tests/keystores"


def keystore(name):
    return (STORES / f"TEST-ONLY-{name}").read_bytes()


def keygen():
    return subprocess.run([BINARY, "keygen"], capture_output=True, check=True, timeout=PATIENCE).stdout.strip()


def existing():
    """What a cluster has before the chart comes: Secrets and ConfigMaps that the combinations name."""
    pair = {"tls.crt": keystore("server.pem"), "tls.key": keystore("server.key.pem")}
    return {
        ("secret", "shop-doorward"): {
            "client-secret": b"bench-secret", "admin-token": keygen(), "cookie-key": keygen(), "cookie-key-new": keygen()},
        ("secret", "shop-tls"): pair,
        ("secret", "shop-admin-tls"): pair,
        ("secret", "shop-keystore"): {"key.pem": keystore("server.key.pem")},
        ("secret", "company-truststore"): {"truststore.p12": keystore("trust.p12"), "password": b"changeit\n"},
        ("configMap", "company-ca"): {"ca.crt": keystore("authority.pem")},
    }


class Cluster:
    """Where a pod's volumes come from: what exists, and what was rendered."""

    def __init__(self, rendered):
        self.objects = existing()
        for thing in rendered.all("ConfigMap"):
            self.objects["configMap", thing["metadata"]["name"]] = {key: text.encode() for key, text in thing["data"].items()}
        for thing in rendered.all("Secret"):
            whole = {key: base64.b64decode(text) for key, text in thing["data"].items()}
            # Two of one name would be one too many; the combinations name the same Secret in both ways for brevity.
            self.objects["secret", thing["metadata"]["name"]] = {**self.objects.get(("secret", thing["metadata"]["name"]), {}), **whole}

    def files(self, kind, source):
        """Path to content. A Secret or key that is not there is a KeyError, as it is a pod that never starts."""
        data = self.objects[kind, source.get("name") or source.get("secretName")]
        if "items" not in source:
            return data
        return {item["path"]: data[item["key"]] for item in source["items"]}

    def content(self, volume):
        """The files of a volume; `None` for an empty folder."""
        if "emptyDir" in volume:
            return None
        sources = volume["projected"]["sources"] if "projected" in volume else [{key: volume[key]} for key in volume if key != "name"]
        files = {}
        for source in sources:
            (kind, what), = source.items()
            files.update(self.files(kind, what))
        return files


def write_as_a_kubelet(folder, files):
    """A folder whose files are links into another, so that all can be swapped at once (Kubernetes: `AtomicWriter`)."""
    data = folder / "..1"
    for path, content in files.items():
        file = data / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(0o444)
    (folder / "..data").symlink_to("..1")
    for top in {path.split("/")[0] for path in files}:
        (folder / top).symlink_to(f"..data/{top}")


def swap_as_a_kubelet(folder, path, content):
    """Another content of one file: all files anew in a folder of their own, and one rename."""
    before = (folder / "..data").resolve()
    after = folder / f"..{int(before.name[2:]) + 1}"
    shutil.copytree(before, after)
    (after / path).unlink()
    (after / path).write_bytes(content)
    (folder / "..next").symlink_to(after.name)
    (folder / "..next").rename(folder / "..data")
    shutil.rmtree(before)


class Pod:
    """One pod in a folder."""

    def __init__(self, rendered, folder, address="127.0.0.1"):
        self.container, self.folder, self.address = invariants.doorward(rendered), pathlib.Path(folder), address
        volumes = {volume["name"]: volume for volume in invariants.template(rendered)["spec"]["volumes"]}
        mounts = self.container["volumeMounts"]
        self.mounts = {mount["mountPath"]: self.folder / str(number) for number, mount in enumerate(mounts)}
        cluster = Cluster(rendered)
        for mount in mounts:
            place = self.mounts[mount["mountPath"]]
            place.mkdir()
            content = cluster.content(volumes[mount["name"]])
            if content is not None:
                write_as_a_kubelet(place, {path: self.moved(content) for path, content in content.items()})

    def moved(self, content):
        """Paths of the container become paths here."""
        for path, place in self.mounts.items():
            content = content.replace(path.encode(), str(place).encode())
        return content

    def environment(self, identity_server):
        plain = {one["name"]: one["value"] for one in self.container.get("env", []) if "value" in one}
        told = {"status.podIP": self.address}
        downward = {one["name"]: told[one["valueFrom"]["fieldRef"]["fieldPath"]]
                    for one in self.container.get("env", []) if "valueFrom" in one}
        return {**plain, **downward, **identity_server.override}

    def config_path(self):
        return str(self.mounts["/etc/doorward"] / "adapter.json")

    def configure(self, rendered):
        """The ConfigMap is another now: as it arrives in a running container."""
        content = rendered.one("ConfigMap")["data"]["adapter.json"].encode()
        swap_as_a_kubelet(self.mounts["/etc/doorward"], "adapter.json", self.moved(content))

    def check(self, identity_server):
        """`doorward check`: its exit code, and all that it says."""
        done = subprocess.run([BINARY, "check", "-c", self.config_path()], env=self.environment(identity_server), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE)
        return done.returncode, done.stdout

    @contextlib.contextmanager
    def running(self, identity_server):
        """The container's process, with the arguments that stand in the template. Its end is asked for at the end."""
        arguments = [self.moved(text.encode()).decode() for text in self.container["args"]]
        log = open(self.folder / "log", "w+")
        process = subprocess.Popen([BINARY, *arguments], env=self.environment(identity_server), stdout=log, stderr=log)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            log.close()

    def log(self):
        return (self.folder / "log").read_text()

    def probe(self, name):
        """What a kubelet would see of a probe: the status, 0 while there is no answer."""
        asked = self.container[name]["httpGet"]
        port = next(port["containerPort"] for port in self.container["ports"] if port["name"] == asked["port"])
        return get(f"{asked['scheme'].lower()}://{self.address}:{port}{asked['path']}")


def get(url):
    """Status of an answer. Certificates are looked at by no kubelet."""
    context = ssl._create_unverified_context() if url.startswith("https") else None  # noqa: SLF001
    handlers = [NoRedirect(), urllib.request.HTTPSHandler(context=context)] if context else [NoRedirect()]
    try:
        with urllib.request.build_opener(*handlers).open(urllib.request.Request(url, headers={"Accept": "text/html"}), timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def wait_for(condition, process):
    """Until it holds, the process has ended, or patience has. Whether it held."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        if condition():
            return True
        time.sleep(0.05)
    return False


def free_ports(count):
    """Ports that nobody has just now; all are held until the last is known, so that they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


class IdentityServer:
    """The tests' identity server, and the variables by which Doorward finds it, whichever form its configuration has."""

    def __enter__(self):
        self.process = subprocess.Popen([IDENTITY_SERVER, "http://127.0.0.1/oauth2/callback"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.origin = self.process.stdout.readline().strip()
        return self

    def of(self, config):
        """For this configuration."""
        if "realm" in config:
            self.override = {"DOORWARD__AUTH_SERVER_URL": self.origin, "DOORWARD__REALM": "bench", "DOORWARD__RESOURCE": "bench"}
        else:
            self.override = {"DOORWARD__PROVIDER_URL": f"{self.origin}/realms/bench", "DOORWARD__CLIENT_ID": "bench"}
        # `doorward check` asks whether they are accepted.
        if "secret" in config.get("credentials", {}):
            self.override["DOORWARD__CREDENTIALS__SECRET"] = "bench-secret"
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


def told_uris(text):
    """The URIs that `doorward check` says are to be registered."""
    return re.findall(r"^to register there: .*URI (\S+)$", text, re.MULTILINE)


def complaints(rendered, values, folder, identity_server):
    """What `doorward check` minds of the configuration that was rendered, and whether the notes name the URIs that it prints."""
    address = "::1" if values.get("ipFamily") == "IPv6" else "127.0.0.1"
    try:
        pod = Pod(rendered, folder, address)
        code, text = pod.check(identity_server.of(invariants.adapter(rendered)))
    except (KeyError, StopIteration, ValueError) as error:
        return [f"pod: would not start: {error!r}"]
    told = [line for line in text.splitlines() if re.match(r"(warning|fault)\b", line) and not line.startswith(MEANT)]
    if "jwt" in invariants.adapter(rendered).get("credentials", {}) and code == 78 and any(line.startswith(UNKNOWN_KEY) for line in told):
        told, code = [line for line in told if not line.startswith(UNKNOWN_KEY)], 0
    found = [f"check: {line}" for line in told]
    if code != 0:
        found.append(f"check: exit code {code}: {text.strip()}")
    uris = told_uris(text)
    if code == 0 and not uris:
        found.append("check: names no URI to register")
    if rendered.notes:
        found += [f"notes: {uri} is not named" for uri in uris if uri not in rendered.notes]
    return found
