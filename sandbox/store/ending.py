"""Ctrl-C and SIGTERM end a server of the sandbox."""

import signal
from queue import SimpleQueue


class Ending:
    """Waits for Ctrl-C or SIGTERM. For the main thread.

    make and timeout can send a second signal while the first one is handled. A lock that the first
    one holds, such as that of an Event, would then never be released: SimpleQueue.put can be
    interrupted (https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put).
    """

    def __init__(self) -> None:
        self._signals: SimpleQueue[int] = SimpleQueue()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda number, _: self._signals.put(number))

    def wait(self) -> None:
        self._signals.get()
