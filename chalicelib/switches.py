"""What is switched off for a stage: moves, by an operator, and embedded reads, by a difference."""

import logging
import threading
from collections.abc import Sequence

from chalicelib.clock import Clock
from chalicelib.edges.dynamodb_jobs import EMBEDDED_OFF, PAUSE, JobsTable

logger = logging.getLogger(__name__)

KNOWN_FOR = 20.0
"""Seconds after which the switches are read again. A move is requested at most another 20 seconds
after they were read, so moves stop within a minute."""


class Switches:
    """The switches of a stage, read once for the orders of a batch, and again in a long one."""

    def __init__(self, jobs: JobsTable, clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._off: frozenset[str] = frozenset()

    def are_moves_paused(self) -> bool:
        """Whether an operator has paused moves. Raises AwsError while that is not known."""
        return PAUSE in self._known()

    def are_embedded_reads_off(self) -> bool:
        """Whether an order was not the same both ways. Raises AwsError while it is not known."""
        return EMBEDDED_OFF in self._known()

    def switch_embedded_reads_off(self, order_id: int, fields: Sequence[str]) -> None:
        """Have the stage read every order list by list, until an operator has compared both ways.

        Raises AwsError.
        """
        with self._lock:
            self._off |= {EMBEDDED_OFF}
        logger.error(
            "embedded lists differ from the requested ones",
            extra={"event": "embedded_differs", "order_id": order_id, "fields": list(fields)},
        )
        self._jobs.switch_embedded_reads_off(order_id, fields)

    def _known(self) -> frozenset[str]:
        with self._lock:
            now = self._clock.time()
            if now - self._read_at > KNOWN_FOR:
                self._off, self._read_at = self._jobs.switched_off(), now
            return self._off
