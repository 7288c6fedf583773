"""The result as data: ids, counts, names of settings and fields, and statuses; no person."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from chalicelib.settings import Settings
from ops.rehearse import choices
from ops.rehearse.connection import Connection
from ops.rehearse.cost import dollars_a_month
from ops.rehearse.fill import per_window, seconds
from ops.rehearse.forecast import Forecast, reasons

UNKNOWN = (
    "Whether the token may change orders: only a request that changes something could tell. "
    "After the deployment, make doctor does.",
    "The webhooks of other API accounts: a token sees those of its own account only.",
    "Archived orders: no list contains them.",
    "What people and other apps do with the orders until the deployment: a forecast is of now.",
)
"""What reading cannot find out."""

Ended: TypeAlias = Literal["complete", "limit", "interrupted", "error"]
"""All orders were read; as many as --limit allows; as many as until Ctrl-C, or until an error."""


@dataclass(frozen=True)
class Effort:
    """What a rehearsal took: requests by method, how many of them were answered with 429, time."""

    requests: Mapping[str, int] = field(default_factory=dict)
    throttled: int = 0
    seconds: float = 0.0


@dataclass
class Result:
    """A rehearsal, and how it ended.

    `scale` is by how much the store has more orders in scope than were read; None where that is not
    known. `took` is how long this run took in seconds, `earlier` what the runs took that it
    continues.
    """

    settings: Settings
    stage: str
    connection: Connection
    forecast: Forecast
    store_counts: Mapping[int, int]
    notes: tuple[str, ...] = ()
    hooks: dict[str, Any] = field(default_factory=lambda: {"error": "not read"})
    ended: Ended = "complete"
    error: str | None = None
    scale: float | None = None
    unsaved: str = ""
    """Why what was found could not be kept in a file."""
    took: float = 0.0
    earlier: Effort = Effort()

    @property
    def in_store(self) -> int:
        return sum(self.store_counts.values())

    @property
    def effort(self) -> Effort:
        """What all runs of this rehearsal took."""
        earlier, now = self.earlier, self.connection
        return Effort(
            Counter(earlier.requests) + now.gate.sent,
            earlier.throttled + now.store.usage.throttled,
            earlier.seconds + self.took,
        )

    @property
    def is_partial(self) -> bool:
        return self.ended in ("interrupted", "error")

    def facts(self) -> dict[str, Any]:
        """For JSON; the other forms of the report print the same."""
        forecast, effort = self.forecast, self.effort
        return {
            "store_hash": self.settings.bigcommerce_store_hash,
            "stage": self.stage or None,
            "settings": assumed(self.settings),
            "ended": self.ended,
            "is_partial": self.is_partial,
            "error": self.error,
            "notes": list(self.notes),
            "orders": {
                "read": forecast.listed,
                "in_store": self.in_store,
                "in_store_by_status": _texts(self.store_counts),
                "newest": forecast.newest,
                "oldest": forecast.oldest,
                "created_from": _moment(forecast.created_from),
                "created_to": _moment(forecast.created_to),
                "by_status": _texts(forecast.statuses),
                "by_channel": _texts(forecast.channels),
                "by_age": dict(forecast.ages),
            },
            "outcomes": dict(forecast.outcomes),
            "moves": [
                {"order_id": each.order_id, "from": each.before, "to": each.after, "why": each.why}
                for each in forecast.moves
            ],
            "stored_and_not_moved": reasons(forecast.not_moved),
            "left_alone": reasons(forecast.left_alone),
            "fails": reasons(forecast.fails),
            "needs_a_person": reasons(forecast.concerns),
            "other_settings": {
                name: {"moves": moves, "difference": moves - len(forecast.moves)}
                for name, moves in forecast.other_moves.items()
            },
            "first_sweep": self._first_sweep(),
            "cost": self._cost(),
            "webhooks": self.hooks,
            "rehearsal": {
                "requests": dict(effort.requests),
                "throttled": effort.throttled,
                "seconds": round(effort.seconds, 1),
            },
            "unknown": list(UNKNOWN),
        }

    def _first_sweep(self) -> dict[str, Any]:
        pacer = self.connection.pacer
        requests = self.forecast.fill.requests(per_window(pacer))
        total = sum(requests.values())
        # What fails is tried again for half a day, and delays nothing else.
        soon = total - requests["retries"]
        facts = {
            "requests": requests,
            "total": total,
            "seconds": round(seconds(soon, pacer)),
            "polls": self.forecast.fill.polls(),
            "quota": pacer.quota,
            "window_seconds": pacer.seconds,
            "used_by_others": pacer.by_others,
        }
        if self.scale is None or self.scale == 1.0:
            return facts
        all_of_them = round(total * self.scale)
        in_scope = round(self.forecast.listed * self.scale)
        return facts | {
            "of_all_orders": {
                "orders": in_scope,
                "total": all_of_them,
                "seconds": round(seconds(round(soon * self.scale), pacer)),
                "polls": self.forecast.fill.polls(self.scale),
            }
        }

    def _cost(self) -> dict[str, Any] | None:
        rate = self.forecast.orders_a_day()
        if rate is None:
            return None
        return {"orders_a_day": round(rate, 1), "dollars_a_month": round(dollars_a_month(rate))}


def assumed(settings: Settings) -> dict[str, Any]:
    """The settings that the forecast depends on, by name."""
    sent = settings.model_dump(mode="json", include={name.lower() for name in choices.DECISIVE})
    return {name.upper(): value for name, value in sorted(sent.items())}


def _texts(counts: Any) -> dict[str, int]:
    return {str(name): n for name, n in sorted(counts.items(), key=lambda item: -item[1])}


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
