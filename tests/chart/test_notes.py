"""The notes warn of what they should, and of nothing else."""

import re
import unittest

import chart
import notes


class Notes(unittest.TestCase):
    def test_each_warning_is_given_where_it_is_due_and_nowhere_else(self):
        self.assertEqual(list(notes.complaints(chart.CHART)), [])

    def test_no_warning_is_left_out(self):
        written = re.findall(r"^(?:WARNING|NOTE) [\w.]+:", (chart.CHART / "templates/NOTES.txt").read_text(), re.MULTILINE)
        self.assertGreater(len(written), 5)
        self.assertEqual(set(written) - {beginning for beginning, *_ in notes.WARNINGS}, set())


if __name__ == "__main__":
    unittest.main()
