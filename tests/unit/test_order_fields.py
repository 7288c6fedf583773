"""The fields of orders: paths and types without values, and what counts as a change."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.items import size_of
from chalicelib.domain.models import JsonObject
from chalicelib.domain.order_fields import (
    ENOUGH_ORDERS,
    MOST_CHANGES,
    MOST_FIELDS,
    FieldChange,
    OrderFields,
    compare,
    find,
    paths,
)
from tests.factories import NOW, at, line, order_fields

SECRET = "a secret"

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.binary(max_size=5)
    | st.just(SECRET)
    | st.text(max_size=8).map(f"{SECRET} {{}}".format)
)
names = st.sampled_from(["id", "name", "street_1", "email@example.com", "118", SECRET]) | st.text()
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
    max_leaves=20,
)
orders = st.dictionaries(names, anything, max_size=8)


def known(*orders: JsonObject) -> OrderFields:
    """The fields after a first comparison."""
    fields, changes = compare(None, find(orders), NOW)
    assert changes == []
    return fields


def changes_of(before: OrderFields, *orders: JsonObject) -> list[tuple[str, str]]:
    _, changes = compare(before, find(orders, before.fields), NOW)
    return [(change.kind, change.path) for change in changes]


def several(number: int = ENOUGH_ORDERS, **overrides: Any) -> list[JsonObject]:
    return [order_fields(n, **overrides) for n in range(1, number + 1)]


def without(order: JsonObject, *names: str) -> JsonObject:
    return {name: value for name, value in order.items() if name not in names}


def test_a_path_names_the_members_of_a_list_together():
    order = {"id": 118, "products": [{"price": "1.00"}, {"price": None, "tags": ["x"]}]}

    assert set(paths(order)) == {
        ("id", "number"),
        ("products", "array"),
        ("products[]", "object"),
        ("products[].price", "string"),
        ("products[].price", "null"),
        ("products[].tags", "array"),
        ("products[].tags[]", "string"),
    }


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (True, "boolean"),
        (1, "number"),
        (Decimal("1.5"), "number"),
        ("1.5", "string"),
        ({}, "object"),
        ([], "array"),
        (b"", "other"),
    ],
)
def test_a_value_has_the_type_of_json(value, name):
    assert list(paths({"field": value})) == [("field", name)]


@pytest.mark.parametrize("name", ["118", "id_20261129", "ann@example.com", "a b", "a.b", "é", ""])
def test_a_name_that_may_be_data_is_not_kept(name):
    assert {path for path, _ in paths({"by_name": {name: {"city": "x"}}})} == {
        "by_name",
        "by_name.*",
        "by_name.*.city",
    }


def test_the_same_fields_are_no_change():
    assert changes_of(known(order_fields()), order_fields(119), order_fields(120)) == []


def test_a_field_is_new_at_any_depth_and_what_it_contains_is_not_repeated():
    before = known(order_fields(products=[line()]))
    order = order_fields(
        loyalty={"points": 5}, products=[line(), {**line(), "origin": "DE"}], status_id=9
    )

    assert changes_of(before, order) == [("new", "loyalty"), ("new", "products[].origin")]


def test_the_first_content_of_a_list_or_an_object_is_no_change():
    before = known(order_fields(refunds=[], custom={}, ship={"at": None}))

    assert changes_of(before, order_fields(refunds=[{"id": 1}], custom={"a": 1})) == []
    assert changes_of(before, order_fields(ship={"at": {"day": 1}})) == []


def test_another_type_is_a_change_and_null_is_not():
    before = known(order_fields(a="1", b=1, c=None, d=[1], e={"f": 1}))

    assert changes_of(before, order_fields(a=None, b=Decimal("1.5"), c="x", d=[], e=None)) == []
    assert changes_of(before, order_fields(a=1, b="1", c=None, d=["1"], e="f")) == [
        ("retyped", "a"),
        ("retyped", "b"),
        ("retyped", "d[]"),
        ("retyped", "e"),
    ]


def test_a_retyped_field_has_its_types_before_and_now():
    before = known(order_fields(a="1"), order_fields(a=None))

    _, (change,) = compare(before, find([order_fields(a=1)]), at(60))

    assert change == FieldChange("retyped", "a", ("number",), at(60), ("null", "string"))


def test_a_usual_field_is_gone_when_enough_orders_are_without_it():
    before = known(*several(loyalty={"points": 5}))
    few = [without(order, "loyalty") for order in several(ENOUGH_ORDERS - 1)]

    assert changes_of(before, *few) == []
    assert changes_of(before, *few, order_fields()) == [("gone", "loyalty")]
    assert changes_of(before, *few, *several(1, loyalty={"points": 5})) == []


def test_a_usual_field_of_a_list_is_gone_when_enough_lists_have_members_without_it():
    before = known(*several(coupons=[{"id": 1, "code": "X"}]))

    assert changes_of(before, *several(coupons=[])) == []
    assert changes_of(before, *several(coupons=[{"id": 1}])) == [("gone", "coupons[].code")]


def test_a_field_of_few_orders_is_never_gone():
    assert changes_of(known(*several(5, rare=1)), *several()) == []
    assert changes_of(known(*several(), *several(5, rare=1)), *several()) == []


def test_a_field_that_becomes_rarer_from_day_to_day_is_gone_in_the_end():
    fields = known(*several(loyalty=5))
    found = []

    for share in (15, 10, 5, 0):
        orders = [*several(share, loyalty=5), *several(ENOUGH_ORDERS - share)]
        fields, changes = compare(fields, find(orders, fields.fields), NOW)
        found.append([change.path for change in changes])

    assert found == [[], [], [], ["loyalty"]]


@pytest.mark.parametrize(
    "orders",
    [
        [order_fields(loyalty=5)],
        [order_fields(id="118")],
        [without(order, "date_created") for order in several()],
    ],
)
def test_a_change_is_reported_once_and_kept_until_it_is_accepted(orders):
    before = known(*several())
    after, changes = compare(before, find(orders, before.fields), NOW)

    again, repeated = compare(after, find(orders, after.fields), at(60))

    assert len(changes) == 1
    assert repeated == []
    assert list(again.changes) == changes
    assert again.accepted().changes == ()
    assert [each.revision for each in (before, after, again, again.accepted())] == [1, 2, 3, 4]


def test_a_field_that_is_gone_and_comes_back_is_new():
    before = known(*several(loyalty={"points": 5}))
    after, _ = compare(before, find(several(), before.fields), NOW)

    assert changes_of(after, order_fields(loyalty={"points": 5})) == [("new", "loyalty")]


def test_what_is_kept_fits_into_an_item_and_a_full_set_reports_nothing_new():
    def wide(start: int) -> JsonObject:
        names = [f"f{chr(97 + n % 26)}{n:03}_{'x' * 55}" for n in range(start, start + 900)]
        return {name: {"a" * 60: {"b" * 60: 1}} for name in names}

    fields, _ = compare(None, find([wide(0)]), NOW)
    after, changes = compare(fields, find([wide(100)], fields.fields), NOW)
    again, more = compare(after, find([wide(100)], after.fields), NOW)

    assert len(again.fields) == MOST_FIELDS
    assert len(again.changes) <= MOST_CHANGES
    assert more == []
    assert size_of(again.to_item()) < 380_000
    assert changes == list(after.changes)


def test_the_fields_survive_being_stored():
    before = known(*several(loyalty=5))
    after, _ = compare(before, find([order_fields(id="1", more={})], before.fields), NOW)

    assert OrderFields.from_item(after.to_item()) == after


@given(st.lists(orders, max_size=4), st.lists(orders, max_size=4))
def test_any_orders_are_compared_and_no_value_is_kept(first, second):
    before, _ = compare(None, find(first), NOW)
    after, changes = compare(before, find(second, before.fields), NOW)

    assert SECRET not in str((before.to_item(), after.to_item(), changes))
    assert OrderFields.from_item(after.to_item()) == after
    assert compare(after, find(second, after.fields), NOW)[1] == []


def test_the_members_of_a_deep_order_are_left_out():
    deep: Any = "x"
    for _ in range(2000):
        deep = {"a": [deep]}

    assert len(list(paths({"deep": deep}))) < 20
