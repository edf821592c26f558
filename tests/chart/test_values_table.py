"""The table of values in the README is the one that values.yaml makes."""

import unittest

import chart
import values_table


class Table(unittest.TestCase):
    def test_the_table_is_up_to_date(self):
        readme, values = (chart.CHART / "README.md").read_text(), (chart.CHART / "values.yaml").read_text()
        self.assertEqual(readme, values_table.with_table(readme, values), "run tests/chart/values_table.py")

    def test_a_changed_comment_or_default_makes_it_out_of_date(self):
        readme, values = (chart.CHART / "README.md").read_text(), (chart.CHART / "values.yaml").read_text()
        for change in [("replicas: 1", "replicas: 2"), ("# How many pods.", "# Number of pods.")]:
            self.assertIn(change[0], values)
            self.assertNotEqual(readme, values_table.with_table(readme, values.replace(*change)))

    def test_a_value_without_a_comment_is_refused(self):
        with self.assertRaisesRegex(SystemExit, "surprise has no comment"):
            values_table.table("# Known.\nknown: 1\n\nsurprise: 2\n")


if __name__ == "__main__":
    unittest.main()
