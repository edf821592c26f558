"""Deliberate mistakes: each is made in a copy of the chart, and must be caught by what the other tests ask."""

import functools
import pathlib
import shutil
import tempfile
import unittest

import changes
import chart
import invariants
import pod
import schemas
import test_refusals
from faults import FAULTS


def refusals(copy):
    """What test_refusals asks of the messages, as complaints."""
    for base, changes, beginning in test_refusals.IMPOSSIBLE:
        if f"doorward: {beginning}" not in chart.render(copy, test_refusals.changed(base, changes)).error:
            yield f"refusals: {beginning}: was not said"


@functools.cache
def in_whatever_combination(copy):
    """What does not belong to one combination: asked once of each copy."""
    return [*changes.complaints(copy), *refusals(copy)]


def complaints(copy, combination, identity_server):
    """All that the suite minds of a chart with these values."""
    values = chart.values_of(chart.CHART / "ci" / f"{combination}-values.yaml")
    rendered = chart.render_combination(copy, values)
    if rendered.error:
        return [f"YAML or template: {rendered.error}"]
    found = chart.lint(copy, values) + [line for thing in rendered.objects for line in schemas.complaints(thing, schemas.VERSIONS[-1:])]
    found += invariants.complaints(rendered, values)
    if not found:
        with tempfile.TemporaryDirectory() as folder:
            found = pod.complaints(rendered, values, folder, identity_server)
    return found or in_whatever_combination(copy)


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
                    self.assertIn(words, "\n".join(complaints(copy, combination, identity_server)))

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
