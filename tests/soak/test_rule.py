"""The rule says no where it should. Run with: python3 -m unittest discover tests/soak"""

import random
import unittest

from rule import judge, slope


def series(growth=0.0, noise=0.0, minutes=30, base=50_000.0, peak=0.0):
    """A sample each five seconds: KiB that grow by so many in all."""
    dice = random.Random(7)
    count = minutes * 12
    points = [(5.0 * i, base + growth * i / count + dice.uniform(-noise, noise)) for i in range(count)]
    points[count // 2] = (points[count // 2][0], points[count // 2][1] + peak)
    return points


class Rule(unittest.TestCase):
    def flat(self, points):
        return judge(points, 300, 1024).flat

    def test_what_stays_is_flat(self):
        self.assertTrue(self.flat(series()))
        self.assertTrue(self.flat(series(noise=5_000)))

    def test_one_peak_is_no_leak(self):
        self.assertTrue(self.flat(series(noise=2_000, peak=8_000)))

    def test_a_large_peak_is_not_flat(self):
        self.assertFalse(self.flat(series(noise=2_000, peak=20_000)))

    def test_a_leak_is_seen_under_noise(self):
        # 100,000 connections that lose 64 bytes each.
        self.assertFalse(self.flat(series(growth=6_250, noise=2_000)))
        self.assertFalse(self.flat(series(growth=6_250)))

    def test_what_shrinks_is_flat(self):
        self.assertTrue(self.flat(series(growth=-10_000)))

    def test_the_slope(self):
        self.assertAlmostEqual(slope([(0, 0), (1, 2), (2, 4), (3, 100)]), 2, delta=35)
        self.assertEqual(slope([(0, 1), (5, 1), (6, 1)]), 0)

    def test_too_little_to_say(self):
        with self.assertRaises(ValueError):
            judge(series()[:62], 300, 0)


if __name__ == "__main__":
    unittest.main()
