"""A request to the API as its handlers receive it, with the faults that change what it shows."""

from collections.abc import Callable
from dataclasses import dataclass

from werkzeug import Request, Response

from sandbox.store.consignments import LINES_PER_CONSIGNMENT, LineForm
from sandbox.store.faults import Fault
from sandbox.store.shop import Shop


class Unservable(Exception):
    """An answer that the store fails to make."""


@dataclass(frozen=True)
class Call:
    """`path` without the store's prefix, and what its route captures."""

    request: Request
    path: str
    version: str = "v2"
    id: int = 0
    name: str = ""
    item: int = 0
    faults: tuple[Fault, ...] = ()

    @property
    def query(self) -> dict[str, str]:
        return self.request.args.to_dict()

    @property
    def stale(self) -> bool:
        return any(fault.kind == "stale" for fault in self.faults)

    def check(self, order_id: int) -> None:
        """Raises Unservable for an order that no answer may contain."""
        if self._fault("unservable", order_id):
            raise Unservable

    def missing(self, order_id: int) -> int:
        """How many of the last members are missing from the order's lists."""
        fault = self._fault("short", order_id)
        return fault.missing if fault else 0

    def form(self, root: str, order_id: int, *, full: bool) -> LineForm:
        """How the order's consignments show their lines."""
        fault = self._fault("embedded", order_id)
        if fault is None:
            return LineForm(root, full, LINES_PER_CONSIGNMENT)
        return LineForm(root, full and not fault.stubs, fault.limit, fault.warns, fault.without)

    def _fault(self, kind: str, order_id: int) -> Fault | None:
        for fault in self.faults:
            if fault.kind == kind and fault.order_id in (None, order_id):
                return fault
        return None


Handler = Callable[[Shop, Call], Response]
