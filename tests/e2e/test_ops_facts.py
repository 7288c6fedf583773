"""`facts`: every assumption holds in the simulated store, and no other check fails with it."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from click.testing import CliRunner, Result
from werkzeug import Request
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from chalicelib.edges.bigcommerce import BigCommerce
from ops.__main__ import main
from ops.clock import OperatorClock
from ops.facts.command import SHARE
from ops.facts.evidence import AT_ONCE, Evidence
from ops.facts.examination import TOPICS, WRITING, every_fact, examine
from ops.facts.shapes import shapes
from ops.facts.source import Answer, Query, Source, StoreSource
from ops.facts.trial import APART, PERSON, OneOrder, Trial, Trials
from ops.rehearse.connection import TOKEN, given_token
from ops.rehearse.gate import Refused, put_before
from ops.rehearse.share import ShareOfQuota
from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.e2e import flips
from tests.e2e.flips import Flipped, unchanged

HASH = "theirs1"
READ_FACTS = [fact.name for topic in TOPICS for fact in topic.facts]
WRITE_FACTS = [fact.name for fact in WRITING.facts]

NOT_SEEN: dict[str, str] = {}
"""Facts that the simulator has nothing to show for, with the reason."""


def populated(clock: SimulatedClock | None = None, **options: Any) -> Store:
    """A store with orders of every kind, of which one is archived, and a webhook."""
    store = Store(clock=clock or SimulatedClock(), store_hash=HASH, **options)
    store.place_orders(45, over=timedelta(days=30))
    for kind in ("pickup", "partial_pickup", "digital", "gift_certificate", "mixed"):
        store.place_order(kind=kind)
    store.archive(store.place_order())
    store.ship(store.place_order())
    store.refund(store.place_order())
    store.place_order(lines=60)
    store.place_order(lines=4, addresses=1, fees=1)
    store.place_order(coupons=1)
    store.place_order(coupons=1, coupon_kind="line")
    store.place_order(coupons=0, status=Status.AWAITING_FULFILLMENT)
    store.register_hook(destination="https://hooks.example.com/orders", headers={"X": "y"})
    store.clock.sleep(60)
    return store


class Simulator:
    """A source that asks a simulated store without a network; each request once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._kept: dict[object, Answer] = {}

    def get(self, path: str, query: Query, *, token: str | None = None) -> Answer:
        key = (path, tuple(sorted(query.items())), token)
        if key not in self._kept:
            self._kept[key] = self._asked(path, query, token)
        return self._kept[key]

    def at_once(self, path: str, queries: Sequence[Query]) -> list[Answer]:
        return [self.get(path, query) for query in queries]

    def _asked(self, path: str, query: Query, token: str | None) -> Answer:
        headers = Headers({"X-Auth-Token": token or self.store.access_token})
        place = f"/stores/{HASH}/{path}"
        builder = EnvironBuilder(path=place, query_string=urlencode(query), headers=headers)
        response = self.store.answer(Request(builder.get_environ()))
        assert response is not None
        body = response.get_data()
        return Answer(f"GET {path}", response.status_code, dict(response.headers), body)


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator(populated(quota=100_000))


def trials(store: Store) -> Trials:
    """What creates, changes and archives an order in a running store."""
    clock = OperatorClock(store.clock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TOKEN, store.access_token)
        token = given_token(clock)
    client = BigCommerce.connect(store.url, HASH, token, ShareOfQuota(clock, SHARE))
    gate = OneOrder(store.url, HASH)
    put_before(client, gate)
    return Trials(client, gate, clock, after=0)


@pytest.fixture(scope="module")
def tried() -> Trial:
    """What became of the order that is created in a sandbox store."""
    with Store(clock=SimulatedClock(), store_hash=HASH) as store:
        return trials(store).run()


def contrary(source: Source, trial: Trial | None = None) -> set[str]:
    """The names of the facts that do not hold: those about writing if there was a trial."""
    evidence = Evidence(source, most=100, trial=trial or Trial())
    found = examine(evidence, [WRITING] if trial else TOPICS)
    return {finding.fact.name for finding in found if finding.verdict == "does not hold"}


@pytest.fixture(scope="module")
def reading(simulator: Simulator) -> dict[str, flips.Flip]:
    store = simulator.store
    archived = next(n for n in store.order_ids() if store.order(n)["is_deleted"])
    return flips.flips(archived, newest=store.order_ids()[-1])


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A running store, whose token is in the environment."""
    with populated() as store:
        monkeypatch.setenv(TOKEN, store.access_token)
        yield store


def facts(store: Store, *arguments: str, answer: str = "") -> Result:
    """Run the command against a store, without a stage."""
    given = ["facts", "--store-hash", HASH, "--api-url", store.url, *arguments]
    return CliRunner().invoke(main, given, input=answer, obj=store.clock)


def test_every_fact_has_a_name_of_its_own_and_a_change_that_breaks_it(reading):
    names = [fact.name for fact in every_fact()]

    assert len(names) == len(set(names))
    assert {*reading, "wrong-token-is-401"} == set(READ_FACTS)
    assert flips.WRITING.keys() == set(WRITE_FACTS)


def test_every_fact_that_is_read_holds_in_the_simulator(simulator):
    found = examine(Evidence(simulator, most=100))

    assert {finding.fact.name for finding in found if finding.verdict != "holds"} == set(NOT_SEEN)


def test_every_fact_about_writing_holds_in_the_simulator(simulator, tried):
    found = examine(Evidence(simulator, most=100, trial=tried), [WRITING])

    assert {finding.verdict for finding in found} == {"holds"}


@pytest.mark.parametrize("name", sorted({*READ_FACTS} - {"wrong-token-is-401"}))
def test_a_fact_is_the_only_one_that_fails_without_it(simulator, reading, name):
    assert contrary(Flipped(simulator, reading[name])) == {name}


def test_a_store_that_accepts_every_token_is_noticed(simulator):
    source = Flipped(simulator, unchanged, wrong_token=200)

    assert contrary(source) == {"wrong-token-is-401"}


@pytest.mark.parametrize("name", WRITE_FACTS)
def test_a_fact_about_writing_is_the_only_one_that_fails_without_it(simulator, tried, name):
    assert contrary(simulator, flips.WRITING[name](tried)) == {name}


def test_a_store_without_orders_shows_nothing_and_contradicts_nothing():
    store = Store(clock=SimulatedClock(), store_hash=HASH)

    assert contrary(Simulator(store)) == set()


def test_an_answer_of_an_unexpected_form_is_a_fact_that_does_not_hold(simulator):
    nonsense = flips.contents(flips.path_is(f"{flips.ORDERS}/count"), lambda _: {"statuses": [1]})

    assert "counts-by-status" in contrary(Flipped(simulator, nonsense))


def test_the_store_is_only_read(shop):
    result = facts(shop, "--json")

    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["requests"].keys() == {"GET"}
    assert found["requests"]["GET"] == sum(shop.requests.values())
    assert {name.split()[0] for name in shop.requests} == {"GET"}
    assert found["summary"] == {"holds": len(READ_FACTS), "does not hold": 0, "not seen": 0}


def test_at_most_a_quarter_of_the_quota_is_used(shop):
    facts(shop)
    shop.clock.sleep(30)

    assert max(window.used for window in shop.windows) <= 150 * SHARE + 1
    assert not any(window.throttled for window in shop.windows)


def test_at_most_so_many_orders_are_looked_at(shop):
    found = json.loads(facts(shop, "--json", "--orders", "10").stdout)

    assert found["orders"] <= 10


def personal(value: Any) -> Iterator[str]:
    """The texts that could be of a person, in an order or its lists."""
    if isinstance(value, dict):
        for each in value.values():
            yield from personal(each)
    elif isinstance(value, list):
        for each in value:
            yield from personal(each)
    elif isinstance(value, str) and len(value) > 2:
        yield value


def test_no_value_of_an_order_is_in_the_result(shop, tmp_path):
    # What a description of the facts has in common with an order.
    common = {"physical", "digital", "giftcertificate", "coupon", "order", "Shipped", "Completed"}
    common |= {status.name.replace("_", " ").title() for status in Status} | {"product", "line"}

    output = facts(shop, "--output", str(tmp_path / "facts.json")).output
    written = (tmp_path / "facts.json").read_text()

    values = {
        value
        for order_id in shop.order_ids()
        for part in (shop.order(order_id), shop.parts(order_id), shop.consignments(order_id))
        for value in personal(json.loads(json.dumps(part, default=str)))
    }
    words = set(flatten(json.loads(written)))
    assert not (values - common) & words
    names = {"first_name", "last_name", "street_1", "email", "phone", "city", "company"}
    people = {
        str(address[name])
        for order_id in shop.order_ids()
        for address in (
            shop.order(order_id)["billing_address"],
            *shop.parts(order_id)["shipping_addresses"],
        )
        for name in names
        if address[name] and len(address[name]) > 3
    }
    assert people
    assert not [value for value in people if value in written or value in output]
    assert shop.access_token not in written + output
    assert "hooks.example.com" not in written + output


def flatten(value: Any) -> Iterator[str]:
    """Every text of a JSON value, with the names of its objects."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from flatten(each)
    elif isinstance(value, list):
        for each in value:
            yield from flatten(each)
    elif isinstance(value, str):
        yield value


def test_a_name_that_may_be_data_is_no_field_of_the_result(simulator):
    source = Flipped(simulator, flips.field_of_orders("Zoë Müller", 1))
    evidence = Evidence(source, most=100)
    examine(evidence)

    fields = shapes(evidence)["order"]

    assert "Zoë Müller" not in fields
    assert fields["cart_id"] == ["null", "text"]


def test_a_fact_that_the_service_relies_on_and_does_not_hold_is_exit_code_1(shop):
    shop.place_order(channel_id="main")

    result = facts(shop)

    assert result.exit_code == 1
    assert "channel-id: selecting orders by channel (CHANNEL_IDS)" in result.output


def test_a_fact_on_which_nothing_relies_is_no_error(shop):
    shop.place_order(total_inc_tax=12.5)

    result = facts(shop, "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["summary"]["does not hold"] == 1


def test_a_request_that_fails_leaves_the_others(shop):
    shop.faults.add(Fault(route="GET /hooks", kind="status", status=503, times=None))

    result = facts(shop, "--json")

    found = {fact["name"]: fact for fact in json.loads(result.stdout)["facts"]}
    assert found["hooks-are-data"]["verdict"] == "not seen"
    assert found["hooks-are-data"]["explanation"] == "GET v3/hooks -> 503"
    assert found["order-id"]["verdict"] == "holds"


@pytest.mark.parametrize(
    ("fault", "explanation"),
    [
        ({"kind": "status", "status": 429}, "1 of 5 requests otherwise"),
        ({"kind": "drop_before"}, "GET v2/orders -> ConnectionError"),
    ],
)
def test_a_request_at_once_that_fails_is_not_sent_again(shop, fault, explanation):
    source = trials(shop).store
    evidence = Evidence(StoreSource(source), most=100)
    assert evidence.orders
    shop.faults.add(Fault(route="GET /orders", **fault))
    asked = shop.requests["GET /orders"]

    finding = next(f for f in every_fact() if f.name == "requests-at-once").judge(evidence)

    assert finding.explanation == explanation
    assert shop.requests["GET /orders"] == asked + AT_ONCE


@pytest.mark.parametrize(("status", "message"), [(401, "rejects the access token"), (403, "scope")])
def test_a_token_that_may_not_read_ends_it(shop, status, message):
    shop.revoke_token(status)

    result = facts(shop)

    assert result.exit_code == 1
    assert message in result.output
    assert shop.access_token not in result.output


def test_a_stage_is_checked_with_its_own_store_and_token(world, ops):
    world.store.place_orders(12)

    found = ops.json("facts", "--orders", "10")

    assert found["summary"]["does not hold"] == 0
    assert found["requests"].keys() == {"GET"}


def test_the_files_of_two_stores_are_compared(shop, tmp_path):
    one, other = (tmp_path / name for name in ("one.json", "other.json"))
    facts(shop, "--output", str(one))
    shop.place_order(channel_id="main", new_field=1)
    facts(shop, "--output", str(other))

    result = CliRunner().invoke(main, ["facts", "--compare", str(one), str(other), "--json"])

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["differences"] == [
        {"what": "channel-id", "one": "holds", "other": "does not hold"},
        {"what": "order.channel_id", "one": "integer", "other": "integer, text"},
        {"what": "order.new_field", "one": "-", "other": "integer"},
    ]


def test_two_equal_files_have_no_difference(shop, tmp_path):
    facts(shop, "--output", str(tmp_path / "one.json"))
    files = [str(tmp_path / "one.json")] * 2

    assert "The same" in CliRunner().invoke(main, ["facts", "--compare", *files]).output


def test_a_file_of_another_kind_is_not_compared(tmp_path):
    (tmp_path / "a.json").write_text("[]")
    files = [str(tmp_path / "a.json")] * 2

    assert CliRunner().invoke(main, ["facts", "--compare", *files]).exit_code == 2


# Writing


def test_nothing_is_written_without_the_name_of_the_store(shop):
    result = facts(shop, "--may-write", answer="another\n")

    assert result.exit_code == 1
    assert f"an order in the store {HASH}, which has" in result.output
    assert {name.split()[0] for name in shop.requests} == {"GET"}


def test_a_stage_is_never_written_to(ops):
    result = ops("facts", "--may-write")

    assert result.exit_code == 2
    assert "sandbox store" in result.output


def test_one_order_is_created_and_archived(shop):
    before = set(shop.order_ids())

    result = facts(shop, "--may-write", "--json", answer=f"{HASH}\n")

    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout[result.stdout.index("{") :])
    assert found["summary"]["holds"] == len(READ_FACTS) + len(WRITE_FACTS)
    (created,) = set(shop.order_ids()) - before
    assert shop.order(created)["is_deleted"]
    assert [change.order_id for change in shop.status_changes if change.by == "api"] == [created]


@pytest.mark.parametrize(
    "fault",
    [
        {"route": "POST /orders", "kind": "drop_after"},
        {"route": "POST /orders", "kind": "status", "status": 429},
        {"route": "PUT /orders/[1-9]*", "kind": "drop_after"},
        {"route": "PUT /orders/[1-9]*", "kind": "status", "status": 500, "times": None},
        {"route": "POST */shipments", "kind": "drop_after"},
        {"route": "DELETE *", "kind": "status", "status": 503},
    ],
    ids=lambda fault: " ".join(str(value) for value in fault.values()),
)
def test_the_order_is_archived_after_an_error(shop, fault):
    before = set(shop.order_ids())
    shop.faults.add(Fault(**fault))

    facts(shop, "--may-write", answer=f"{HASH}\n")

    created = set(shop.order_ids()) - before
    assert len(created) == 1
    assert all(shop.order(order_id)["is_deleted"] for order_id in created)


def test_a_store_that_does_not_let_the_order_be_shipped_does_not_show_these_facts(shop):
    shop.faults.add(Fault(route="POST */shipments", kind="status", status=400))
    before = set(shop.order_ids())

    result = facts(shop, "--may-write", "--json", answer=f"{HASH}\n")

    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout[result.stdout.index("{") :])["facts"]
    unseen = {fact["name"] for fact in found if fact["verdict"] == "not seen"}
    assert unseen == {name for name in WRITE_FACTS if name.startswith("new-shipment-")}
    (created,) = set(shop.order_ids()) - before
    assert shop.order(created)["is_deleted"]


class Interrupted(SimulatedClock):
    """A clock in whose first short sleep Ctrl-C is pressed."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if seconds == APART:
            raise KeyboardInterrupt


def test_the_order_is_archived_after_an_interruption(monkeypatch):
    with populated(Interrupted()) as store:
        monkeypatch.setenv(TOKEN, store.access_token)
        before = set(store.order_ids())

        result = facts(store, "--may-write", answer=f"{HASH}\n")

        assert result.exit_code == 1
        (created,) = set(store.order_ids()) - before
        assert store.order(created)["is_deleted"]


def test_an_order_that_cannot_be_archived_is_named(shop):
    shop.faults.add(Fault(route="DELETE *", kind="status", status=409, times=None))
    expected = shop.next_id

    result = facts(shop, "--may-write", answer=f"{HASH}\n")

    assert result.exit_code == 1
    assert f"order {expected} must be archived by hand" in result.output


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "v2/orders/118"),
        ("DELETE", "v2/orders/118"),
        ("DELETE", "v2/orders"),
        ("POST", "v2/orders/118/shipments"),
        ("POST", "v3/hooks"),
        ("GET", "v2/customers"),
    ],
)
def test_no_other_request_passes_the_gate_of_one_order(method, path):
    session = requests.Session()
    session.adapters.clear()
    session.mount("", gate := OneOrder("https://api.bigcommerce.com", HASH))
    gate.allow(119)

    with pytest.raises(Refused):
        session.request(method, f"https://api.bigcommerce.com/stores/{HASH}/{path}")

    assert not gate.sent


def test_the_gate_of_one_order_is_for_one_host():
    session = requests.Session()
    session.mount("", OneOrder("https://api.bigcommerce.com", HASH))
    session.adapters.pop("https://")

    with pytest.raises(Refused):
        session.post(f"https://example.com/stores/{HASH}/v2/orders")


def test_a_person_that_does_not_exist_orders():
    assert PERSON["email"].endswith("@example.com")
