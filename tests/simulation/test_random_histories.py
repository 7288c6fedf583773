"""Histories by chance. A seed that fails is run again by `make simulate SEED=...`."""

from tests.simulation.random_history import live


def told(history) -> str:
    """What is wrong, and how it came about."""
    return "\n".join(
        [f"make simulate SEED={history.seed}", *history.wrong, "It happened so:", *history.story]
    )


def test_a_history_by_chance_comes_to_rest_as_it_should(aws, seed, record_property):
    history = live(aws, seed)

    assert history.wrong == [], told(history)
    record_property("random histories", 1)
