"""When a figure counts as flat: a rule that a leak of a few bytes for each connection breaks.

What is held at the end of the warm-up is what is needed. From there on a figure

- grows by no more than 5 % of the warm-up's median, plus a little for what is counted in ones. The growth is the slope
  that half of all pairs of samples are above and half below (Theil and Sen), times the time that is left: a peak does not
  move it, what goes on does;
- is never above the warm-up's maximum by more than 25 %, plus a little: what goes up and comes down again is no leak, but
  is not flat either.
"""

from __future__ import annotations

import dataclasses
import statistics

GROWTH = 0.05
PEAK = 0.25


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the rule says of one figure of one process."""

    warm_median: float
    warm_most: float
    median: float
    most: float
    growth: float
    may_grow: float
    may_reach: float

    @property
    def flat(self) -> bool:
        return self.growth <= self.may_grow and self.most <= self.may_reach


def slope(points: list[tuple[float, float]]) -> float:
    """The median of the slopes of all pairs."""
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for index, earlier in enumerate(points)
        for later in points[index + 1:]
        if later[0] > earlier[0]
    ]
    return statistics.median(slopes)


def judge(points: list[tuple[float, float]], warm_up: float, slack: float) -> Verdict:
    """`points` are times and values; `slack` is the little that is granted besides the shares."""
    warm = [value for time, value in points if time <= warm_up]
    rest = [(time, value) for time, value in points if time > warm_up]
    if len(warm) < 3 or len(rest) < 10:
        raise ValueError("too few samples to judge by")
    # Half of the warm-up is the start, with few connections yet.
    settled = warm[len(warm) // 2:]
    median = statistics.median(settled)
    return Verdict(
        warm_median=median, warm_most=max(warm), median=statistics.median(value for _, value in rest),
        most=max(value for _, value in rest), growth=slope(rest) * (rest[-1][0] - rest[0][0]),
        may_grow=GROWTH * median + slack, may_reach=(1 + PEAK) * max(warm) + slack,
    )
