import unittest

from greeting import greeting_for


class Greeting(unittest.TestCase):
    def test_somebody_is_greeted_by_name(self):
        self.assertEqual(greeting_for(" you "), "Hello, you!")

    def test_nobody_is_no_name(self):
        with self.assertRaises(ValueError):
            greeting_for(" ")
