"""A destination with its state, as it is listed."""

from dataclasses import dataclass
from typing import Any

from ops.destinations.connection import Connection
from ops.destinations.destination import Destination


@dataclass(frozen=True)
class Row:
    """A destination, with the state of its queue and connection."""

    destination: Destination
    undelivered: int
    connection: Connection | None

    @classmethod
    def of(cls, destination: Destination) -> "Row":
        connection = Connection.of(destination) if destination.kind == "https" else None
        return cls(destination, destination.undelivered(), connection)

    @property
    def state(self) -> str:
        if not self.destination.is_enabled:
            return "disabled"
        if self.connection is None:
            return "enabled"
        if not self.connection.has_secret:
            return "without a secret"
        return self.connection.state.lower()

    def facts(self) -> dict[str, Any]:
        each = self.destination
        return {
            "name": each.name,
            "kind": each.kind,
            "target": each.target_arn,
            "pattern": each.pattern,
            "state": self.state,
            "undelivered": self.undelivered,
        }
