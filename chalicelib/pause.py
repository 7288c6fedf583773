"""Whether moves are paused: an operator decides it, and a batch that is under way has to notice."""

import threading

from chalicelib.clock import Clock
from chalicelib.edges.dynamodb_jobs import JobsTable

KNOWN_FOR = 20.0
"""Seconds after which the pause is read again. A move is requested at most another 20 seconds after
it was read, so moves stop within a minute."""


class Pause:
    """The pause of moves, read once for the orders of a batch, and again in a long one."""

    def __init__(self, jobs: JobsTable, clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._is_on = False

    def is_on(self) -> bool:
        """Whether moves are paused. Raises AwsError while that is not known."""
        with self._lock:
            now = self._clock.time()
            if now - self._read_at > KNOWN_FOR:
                self._is_on, self._read_at = self._jobs.pause() is not None, now
            return self._is_on
