"""The chart as Helm renders it, for one file of values: objects, notes, and what `helm lint` says."""

import pathlib
import shutil
import tempfile

import helm_python as helm
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "charts/doorward"
COMBINATIONS = sorted((CHART / "ci").glob("*-values.yaml"))
RELEASE, NAMESPACE = "shop", "web"
# Severities of a linter's message, from which on it is a warning.
WARNING = 2


class Strict(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML in which a key stands once: Kubernetes would take the last of two in silence."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"the key {key!r} stands twice, line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


class Rendered:
    """What one rendering made. `error` says why there is nothing, otherwise it is empty."""

    def __init__(self, objects=(), notes="", error=""):
        self.objects, self.notes, self.error = list(objects), notes, error

    def all(self, kind):
        return [thing for thing in self.objects if thing["kind"] == kind]

    def one(self, kind, suffix=""):
        """The object of that kind whose name ends so; `None` unless there is exactly one."""
        found = [thing for thing in self.all(kind) if thing["metadata"]["name"].endswith(suffix)]
        if not suffix:
            found = [thing for thing in found if not thing["metadata"]["name"].endswith(("-admin", "-upstream"))]
        return found[0] if len(found) == 1 else None


def values_of(file):
    return helm.values_from_yaml(pathlib.Path(file).read_text())


def render(chart, values):
    """Helm's errors are `error` of what comes back: a fault in a template is a finding."""
    try:
        with helm.Chart.load(chart) as loaded:
            loaded.validate_schema(values)
            files = loaded.render(values, name=RELEASE, namespace=NAMESPACE)
        notes = "".join(text for name, text in files.items() if name.endswith("NOTES.txt"))
        texts = [text for name, text in sorted(files.items()) if not name.endswith("NOTES.txt")]
        objects = [thing for text in texts for thing in yaml.load_all(text, Strict) if thing is not None]
        wrong = [thing for thing in objects if not (isinstance(thing, dict) and {"kind", "metadata"} <= thing.keys())]
        return Rendered(error=f"is no object: {wrong[0]}") if wrong else Rendered(objects, notes)
    except (helm.HelmError, yaml.YAMLError) as error:
        return Rendered(error=str(error))


def render_combination(chart, values):
    """Mode `include` makes no pods: there the chart is rendered as a part of another one, as its README tells."""
    if values.get("mode") != "include":
        return render(chart, values)
    with tempfile.TemporaryDirectory() as folder:
        parent = pathlib.Path(folder, "shop")
        shutil.copytree(pathlib.Path(__file__).with_name("parent"), parent)
        shutil.copytree(chart, parent / "charts/doorward")
        return render(parent, {"doorward": values})


def lint(chart, values):
    """Warnings and errors of `helm lint`, and what a template refuses, which Helm's linter only mentions."""
    report = helm.lint(chart, values, strict=True)
    told = [f"lint: {message['error']}" for message in report["messages"] if message["severity"] >= WARNING]
    return told + [f"lint: {error}" for error in report["errors"]]
