"""The requests that BigCommerce's reference documents, reduced to those that the service needs."""

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

INTEGER = r"-?\d+"
DATE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
PAGE = {"page": INTEGER, "limit": INTEGER}
INCLUDE = r"[a-z_.,]+"
FORM = {"include": INCLUDE, "consignment_structure": "array|object"}
FILTERS = {
    **dict.fromkeys(("min_id", "max_id", "customer_id", "status_id", "channel_id"), INTEGER),
    **dict.fromkeys(("min_date_created", "max_date_created"), DATE),
    **dict.fromkeys(("min_date_modified", "max_date_modified"), DATE),
    **dict.fromkeys(("email", "cart_id", "payment_method", "external_order_id"), ".+"),
}


class Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class ChangedOrder(Body):
    """The one field of an order that the service changes."""

    status_id: int


class NewHook(Body):
    scope: str
    destination: str
    is_active: bool
    events_history_enabled: bool = False
    headers: dict[str, str] | None = None


class ChangedHook(Body):
    scope: str | None = None
    destination: str | None = None
    is_active: bool | None = None
    events_history_enabled: bool | None = None
    headers: dict[str, str] | None = None


class Admin(Body):
    emails: list[str]


@dataclass(frozen=True)
class Operation:
    """An operation of the reference: the names of its query parameters, each with its form."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None

    def matches(self, method: str, path: str) -> bool:
        pattern = re.sub(r"\{\w+\}", r"\\d+", self.path)
        return method == self.method and re.fullmatch(pattern, path) is not None


OPERATIONS = (
    Operation("GET", "/v2/orders", FILTERS | FORM | PAGE | {"sort": r"[a-z_]+(:(asc|desc))?"}),
    Operation("GET", "/v2/orders/count", FILTERS),
    Operation("GET", "/v2/orders/{id}", FORM),
    Operation("PUT", "/v2/orders/{id}", body=ChangedOrder),
    Operation("GET", "/v2/orders/{id}/products", PAGE),
    Operation("GET", "/v2/orders/{id}/shipping_addresses", PAGE),
    Operation("GET", "/v2/orders/{id}/coupons", PAGE),
    Operation("GET", "/v2/orders/{id}/shipments", PAGE),
    Operation("GET", "/v2/orders/{id}/consignments", {"include": INCLUDE}),
    Operation("GET", "/v2/orders/{id}/fees"),
    Operation("GET", "/v3/orders/payment_actions/refunds", {"order_id:in": r"[\d,]+"} | PAGE),
    Operation("GET", "/v3/hooks", PAGE | {"scope": ".+", "destination": ".+"}),
    Operation("POST", "/v3/hooks", body=NewHook),
    Operation("PUT", "/v3/hooks/{id}", body=ChangedHook),
    Operation("DELETE", "/v3/hooks/{id}"),
    Operation("GET", "/v3/hooks/admin", {"is_active": "true|false"}),
    Operation("PUT", "/v3/hooks/admin", body=Admin),
)


def differences(method: str, url: str, body: str | bytes | None) -> set[str]:
    """How a request to a store's API differs from the reference; an empty set if it does not."""
    parts = urlsplit(url)
    path = re.sub(r"^/stores/[a-z0-9]+", "", parts.path)
    operation = next((each for each in OPERATIONS if each.matches(method, path)), None)
    generic = re.sub(r"\d{2,}", "{id}", path)
    if operation is None:
        return {f"{method} {generic} is not documented"}
    found = set()
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in operation.query:
            found.add(f"{method} {generic} has no parameter {name}")
        elif not re.fullmatch(operation.query[name], value):
            found.add(f"{method} {generic} has another form of {name}")
    if (operation.body is None) != (body is None):
        found.add(f"{method} {generic}: a body is missing, or superfluous")
    elif operation.body is not None:
        try:
            TypeAdapter(operation.body).validate_python(json.loads(body or b""), strict=True)
        except ValidationError as error:
            found |= {
                f"{method} {generic}: {each['loc']} {each['type']}" for each in error.errors()
            }
    return found
