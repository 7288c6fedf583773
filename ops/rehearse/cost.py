"""The cost of a stage at AWS, from the table in docs/deploying.md."""

from itertools import pairwise

PUBLISHED = ((100, 11.0), (1_000, 15.0), (10_000, 55.0))
"""Orders a day, and US dollars a month; a test compares them with the documentation."""


def dollars_a_month(orders_a_day: float) -> float:
    """Between the published figures on a straight line, which is also continued beyond them."""
    points = list(pairwise(PUBLISHED))
    (x, y), (to_x, to_y) = next((p for p in points if orders_a_day <= p[1][0]), points[-1])
    return y + (to_y - y) / (to_x - x) * (orders_a_day - x)
