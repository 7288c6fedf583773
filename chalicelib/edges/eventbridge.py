"""EventBridge: the stage's own event bus, on which the changes of orders are published."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.clock import Clock
from chalicelib.edges.aws import AwsError, calling

ENTRIES_PER_CALL = 10
LARGEST_CALL = 256 * 1024
"""Entries and bytes of one call
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html)."""

LARGEST_ENTRY = LARGEST_CALL - 4096
"""Bytes of one entry. The event that a target receives is larger by the names and values that
EventBridge adds, and SQS targets have the same limit."""

SIZE_OF_TIME = 14

TRIES = 5
FIRST_WAIT = 0.2
"""Calls for an entry that is refused, and seconds before the second, doubled each time: 3 in all.
Lambda delivers the records again after that."""

TIME_FOR_A_CALL = 15.0
"""Seconds that must remain before another call: two attempts with their timeouts."""


@dataclass(frozen=True)
class Entry:
    """An event as EventBridge takes it; `detail` is JSON."""

    type: str
    detail: str
    time: datetime


class NotTaken(AwsError):
    """Some entries were not taken; `entries` are their positions, ascending.

    `is_refusal`: EventBridge answered the call and refused single entries.
    """

    def __init__(
        self, tried: str, reason: str, entries: Sequence[int], *, is_refusal: bool
    ) -> None:
        super().__init__(tried, reason)
        self.entries = tuple(entries)
        self.is_refusal = is_refusal


@dataclass(frozen=True)
class EventBus:
    """An event bus; `deadline` in epoch seconds is when the function's time is over."""

    client: Any
    name: str
    source: str
    clock: Clock
    deadline: float

    def put(self, entries: Sequence[Entry]) -> None:
        """Put the entries in their order, as few calls as possible.

        Entries that are refused are put again, up to five times. Raises NotTaken; entries after a
        call that failed are not put.
        """
        for chunk in self._chunks(entries):
            self._put(entries, chunk)

    def size_of(self, entry: Entry) -> int:
        """The size of an entry in bytes by EventBridge's published rule."""
        texts = (self.source, entry.type, entry.detail)
        return SIZE_OF_TIME + sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)

    def fits(self, entry: Entry) -> bool:
        return self.size_of(entry) <= LARGEST_ENTRY

    def _put(self, entries: Sequence[Entry], chunk: Sequence[int]) -> None:
        left, wait, tried = list(chunk), FIRST_WAIT, f"PutEvents {self.name}"
        later = range(chunk[-1] + 1, len(entries))
        for attempt in range(1, TRIES + 1):
            if self.clock.time() > self.deadline - TIME_FOR_A_CALL:
                raise NotTaken(tried, "OutOfTime", [*left, *later], is_refusal=False)
            try:
                refused = self._call(tried, entries, left)
            except AwsError as error:
                raise NotTaken(tried, error.reason, [*left, *later], is_refusal=False) from None
            if not refused:
                return
            left = list(refused)
            if attempt == TRIES:
                raise NotTaken(tried, refused[left[0]], [*left, *later], is_refusal=True)
            self.clock.sleep(wait)
            wait *= 2

    def _call(self, tried: str, entries: Sequence[Entry], left: Sequence[int]) -> dict[int, str]:
        """Put these entries in one call; returns the error codes of the refused ones."""
        with calling(tried):
            answer = self.client.put_events(
                Entries=[
                    {
                        "EventBusName": self.name,
                        "Source": self.source,
                        "DetailType": entries[n].type,
                        "Detail": entries[n].detail,
                        "Time": entries[n].time,
                    }
                    for n in left
                ]
            )
        results = zip(left, answer["Entries"], strict=True)
        return {n: result["ErrorCode"] for n, result in results if result.get("ErrorCode")}

    def _chunks(self, entries: Sequence[Entry]) -> Iterator[list[int]]:
        """The positions of the entries of each call."""
        chunk: list[int] = []
        size = 0
        for n, entry in enumerate(entries):
            added = self.size_of(entry)
            if chunk and (len(chunk) == ENTRIES_PER_CALL or size + added > LARGEST_CALL):
                yield chunk
                chunk, size = [], 0
            chunk.append(n)
            size += added
        if chunk:
            yield chunk
