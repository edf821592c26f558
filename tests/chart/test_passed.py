"""Every value arrives where it should."""

import unittest

import chart
import passed


def leaves(values, schema, path=""):
    """Dotted paths of the values; what is Kubernetes' own is one value."""
    if schema.get("additionalProperties") is not False:
        yield path
        return
    for name in schema["properties"].keys() - {"global"}:
        yield from leaves(values[name], schema["properties"][name], f"{path}.{name}" if path else name)


class Passed(unittest.TestCase):
    def test_every_value_arrives_at_its_place(self):
        self.assertEqual(list(passed.complaints(chart.CHART)), [])

    def test_no_value_is_left_out(self):
        tried = {path for _, entries in passed.GROUPS for path, *_ in entries}
        with chart.helm.Chart.load(chart.CHART) as loaded:
            self.assertEqual(set(leaves(loaded.values, loaded.schema)) - passed.ELSEWHERE, tried)


if __name__ == "__main__":
    unittest.main()
