"""Every documented combination of values, as a cluster would take it."""

import re
import tempfile
import unittest

import chart
import invariants
import pod
import schemas


class Combinations(unittest.TestCase):
    def each(self):
        """Each combination as a part of the test of its own."""
        self.assertGreater(len(chart.COMBINATIONS), 10)
        for file in chart.COMBINATIONS:
            values = chart.values_of(file)
            rendered = chart.render_combination(chart.CHART, values)
            with self.subTest(file.name):
                self.assertEqual(rendered.error, "")
                yield rendered, values

    def test_each_renders_and_is_linted_without_a_warning(self):
        for _, values in self.each():
            self.assertEqual(chart.lint(chart.CHART, values), [])

    def test_each_object_is_valid_in_every_version_of_kubernetes(self):
        for rendered, _ in self.each():
            self.assertEqual([line for thing in rendered.objects for line in schemas.complaints(thing)], [])

    def test_each_holds_what_the_chart_promises(self):
        for rendered, values in self.each():
            self.assertEqual(invariants.complaints(rendered, values), [])

    def test_doorward_check_finds_no_fault_in_any_configuration_and_the_notes_name_the_uris_that_it_prints(self):
        with pod.IdentityServer() as identity_server:
            for rendered, values in self.each():
                with tempfile.TemporaryDirectory() as folder:
                    self.assertEqual(pod.complaints(rendered, values, folder, identity_server), [])

    def test_the_packaged_chart_renders_the_same(self):
        values = chart.values_of(chart.CHART / "ci/sidecar-several-values.yaml")
        with tempfile.TemporaryDirectory() as folder:
            archive = chart.helm.package(chart.CHART, destination=folder)
            packed, plain = chart.render(archive, values), chart.render(chart.CHART, values)
        self.assertEqual(packed.error, "")
        self.assertEqual((packed.objects, packed.notes), (plain.objects, plain.notes))

    def test_the_readme_tells_of_each_and_of_no_other(self):
        text = (chart.CHART / "README.md").read_text()
        told = set(re.findall(r"`ci/([\w-]+-values\.yaml)`", text))
        self.assertEqual(told, {file.name for file in chart.COMBINATIONS})

    def test_the_readme_shows_the_chart_that_takes_doorward_in_as_it_is_tested(self):
        text = (chart.CHART / "README.md").read_text()
        deployment = (chart.ROOT / "tests/chart/parent/templates/deployment.yaml").read_text()
        self.assertIn(f"```yaml\n{deployment}```", text)

    def test_the_chart_is_of_the_version_that_is_built(self):
        manifest = (chart.ROOT / "Cargo.toml").read_text()
        version = re.search(r'^version = "(.+)"', manifest, re.MULTILINE)[1]
        with chart.helm.Chart.load(chart.CHART) as loaded:
            self.assertEqual(loaded.metadata["appVersion"], version)


if __name__ == "__main__":
    unittest.main()
