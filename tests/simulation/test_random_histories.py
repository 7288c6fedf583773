"""Random histories. `make simulate SEED=...` repeats a seed that failed."""

from tests.simulation.random_history import simulate


def report(history) -> str:
    """The violations, and the events that led to them."""
    return "\n".join(
        [f"make simulate SEED={history.seed}", *history.wrong, "Events:", *history.story]
    )


def test_a_random_history_comes_to_rest_without_violations(aws, seed, record_property):
    history = simulate(aws, seed)

    assert history.wrong == [], report(history)
    record_property("random histories", 1)
