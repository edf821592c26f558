"""Changed values: which of them roll the pods."""

import unittest

import changes
import chart


class Changes(unittest.TestCase):
    def test_pods_roll_for_what_a_running_process_cannot_change_and_for_nothing_else(self):
        self.assertEqual(list(changes.complaints(chart.CHART)), [])

    def test_the_chart_lists_the_keys_that_the_program_does(self):
        self.assertGreater(len(changes.fixed_keys_of_the_program()), 10)
        self.assertEqual(changes.fixed_keys_of_the_chart(), changes.fixed_keys_of_the_program())


if __name__ == "__main__":
    unittest.main()
