"""Deliberate mistakes: each is made in a copy of the chart, and must be caught by what the other tests ask."""

import itertools
import pathlib
import shutil
import tempfile
import unittest

import changes
import chart
import invariants
import notes
import passed
import pod
import schemas
import test_refusals
from faults import FAULTS


def refusals(copy, named=""):
    """What test_refusals asks of the messages that begin so, as complaints."""
    for base, changes, beginning in test_refusals.ALL:
        if beginning.startswith(named) and f"doorward: {beginning}" not in chart.render(copy, test_refusals.changed(base, changes)).error:
            yield f"refusals: {beginning}: was not said"


def possible(copy):
    """What test_refusals asks of values that work, as complaints."""
    for base, changes in test_refusals.POSSIBLE:
        for line in test_refusals.wrong(copy, base, changes):
            yield f"possible: {changes}: {line}"


def in_whatever_combination(copy, words):
    """The first that is wrong beside any one combination. What takes long is asked where the words call for it, and where there are none."""
    topic, _, named = words.partition(": ")
    if topic == "refusals":
        asked = [refusals(copy, named)]
    elif topic in ("possible", "changes"):
        asked = [{"possible": possible, "changes": changes.complaints}[topic](copy)]
    else:
        asked = [passed.complaints(copy), notes.complaints(copy)]
    return list(itertools.islice(itertools.chain.from_iterable(asked), 1))


def complaints(copy, combination, identity_server, words=""):
    """What the suite minds of a chart with these values."""
    values = chart.values_of(chart.CHART / "ci" / f"{combination}-values.yaml")
    rendered = chart.render_combination(copy, values)
    if rendered.error:
        return [f"YAML or template: {rendered.error}"]
    found = chart.lint(copy, values) + [line for thing in rendered.objects for line in schemas.complaints(thing, schemas.VERSIONS[-1:])]
    found += invariants.complaints(rendered, values)
    if not found:
        with tempfile.TemporaryDirectory() as folder:
            found = pod.complaints(rendered, values, folder, identity_server)
    return found or in_whatever_combination(copy, words)


class Faults(unittest.TestCase):
    def test_a_mistake_in_any_template_is_caught(self):
        with pod.IdentityServer() as identity_server, tempfile.TemporaryDirectory() as folder:
            for number, (name, old, new, combination, words) in enumerate(FAULTS):
                with self.subTest(template=name, old=old, new=new):
                    copy = pathlib.Path(folder, str(number), "doorward")
                    shutil.copytree(chart.CHART, copy)
                    template = copy / "templates" / name
                    text = template.read_text()
                    self.assertIn(old, text)
                    template.write_text(text.replace(old, new))
                    self.assertIn(words, "\n".join(complaints(copy, combination, identity_server, words)))

    def test_no_template_is_left_out(self):
        templates = {file.name for file in (chart.CHART / "templates").iterdir()}
        self.assertEqual(templates, {name for name, *_ in FAULTS})

    def test_without_a_mistake_there_is_no_complaint(self):
        with pod.IdentityServer() as identity_server:
            for combination in {combination for _, _, _, combination, _ in FAULTS}:
                with self.subTest(combination):
                    self.assertEqual(complaints(chart.CHART, combination, identity_server), [])


if __name__ == "__main__":
    unittest.main()
