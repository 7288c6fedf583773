"""A seed is worth keeping only if it always tells the same history."""

from tests.simulation.random_history import live


def test_a_seed_tells_the_same_history_twice(aws):
    first, second = live(aws, 3), live(aws, 3)

    assert first.trace == second.trace
    assert len(first.trace) > 100


def test_with_five_requests_in_the_air_histories_end_well_too(aws):
    """Their threads take turns as they like, so these cannot be replayed exactly."""
    for seed in range(5):
        history = live(aws, seed, in_flight=5)
        assert history.wrong == [], history.story
