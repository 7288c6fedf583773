"""`rehearse`: what it forecasts happens, and nothing but GET requests leaves it."""

import functools
import json
import re
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chalicelib.domain.messages import Delivery, OrderMessage
from ops.__main__ import main
from ops.deployment import Deployment
from ops.rehearse.choices import ALWAYS
from ops.rehearse.connection import TOKEN
from ops.rehearse.gate import ReadOnly, put_before
from sandbox.container import Context, timeout
from sandbox.pump import Batch
from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from sandbox.store.foreign import FAILING, ORDERS_PER_SET, foreign_store, place_odd_orders
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.conftest import Ops

HASH = "theirs1"
SINCE_DAYS = 30


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store that the code was not written for, whose token is in the environment."""
    clock = SimulatedClock()
    store = Store(
        clock=clock,
        store_hash=HASH,
        seed=7,
        quota=450,
        archived_answers="200",
        wraps_fees=True,
    )
    monkeypatch.setenv(TOKEN, store.access_token)
    return store


def rehearse_store(store: Store, *arguments: str) -> Result:
    with store:
        given = ["--store-hash", store.store_hash, "--api-url", store.url, *arguments]
        return CliRunner().invoke(main, ["rehearse", *given], obj=store.clock)


@pytest.fixture
def rehearse(foreign: Store) -> Callable[..., Result]:
    """Run the command against the store, without a stage."""

    return functools.partial(rehearse_store, foreign)


@pytest.fixture
def forecast(rehearse: Callable[..., Result]) -> Callable[..., Any]:
    def run(*arguments: str) -> Any:
        result = rehearse(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


def place_all_kinds(store: Store, *, failing: bool = True) -> dict[str, int]:
    """The usual mix and the odd orders, whose ids are returned by what is odd.

    No order is left out of lists, which the requests of a sweep do not forecast.
    """
    store.place_orders(40 if failing else 15, over=timedelta(days=60))
    store.skip_ids(1000)
    return place_odd_orders(store, without={"unservable"} if failing else FAILING)


def run_the_service(world: World) -> int:
    """The first poll, and everything that follows from it; the requests that the store counts."""

    def after(_: Batch) -> None:
        world.clock.sleep(1)
        world.deliver_webhooks()

    before = sum(world.store.requests.values())
    error = world.poll()
    assert error is None
    world.pump.settle(after=after)
    return sum(world.store.requests.values()) - before


def moved_by_the_service(store: Store) -> set[tuple[int, int, int]]:
    changes = (each for each in store.status_changes if each.by == "api")
    return {(each.order_id, each.before, each.after) for each in changes}


def moves_of(found: Any) -> set[tuple[int, int, int]]:
    return {(each["order_id"], each["from"], each["to"]) for each in found["moves"]}


def ids_in(reasons: dict[str, Any]) -> set[int]:
    found = {order_id for each in reasons.values() for order_id in each["ids"]}
    assert len(found) == sum(each["count"] for each in reasons.values())
    return found


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"MOVE_UNPAID": "false", "CHANNEL_IDS": "1,2"},
        {"EMBEDDED_READS": "true", "PICKUP_STATUS_ID": "9"},
    ],
    ids=["defaults", "unpaid stay, two channels", "embedded"],
)
def test_what_is_forecast_happens(foreign, forecast, new_world, settings):
    odd = place_all_kinds(foreign)
    since = (foreign.clock.now() - timedelta(days=SINCE_DAYS)).isoformat()
    given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]

    found = forecast("--replicate-since", since, *given)
    world = new_world(
        store=foreign,
        clock=foreign.clock,
        BIGCOMMERCE_STORE_HASH=HASH,
        REPLICATE_SINCE=since,
        **settings,
    )
    requests = run_the_service(world)

    moves = moves_of(found)
    assert moves == moved_by_the_service(foreign)
    failing = {odd[name] for name in FAILING if name in odd}
    not_moved = ids_in(found["stored_and_not_moved"])
    stored = {item["id"] for item in world.items("orders")}
    assert {each[0] for each in moves} | not_moved == stored
    assert ids_in(found["fails"]) == failing
    left = set(foreign.order_ids()) - stored - failing - {odd["archived"]}
    assert ids_in(found["left_alone"]) == left
    assert found["first_sweep"]["total"] == pytest.approx(requests, rel=0.1)


@pytest.mark.parametrize(
    "change",
    [
        {"MOVE_STATUS": "true", "MOVE_UNPAID": "false"},
        {"MOVE_STATUS": "true", "CHANNEL_IDS": "1"},
    ],
    ids=["moves of paid orders", "another scope"],
)
def test_what_is_forecast_of_a_change_of_settings_happens(new_world, change):
    clock = SimulatedClock()
    store = Store(clock=clock, quota=450)
    place_all_kinds(store, failing=False)
    since = (clock.now() - timedelta(days=SINCE_DAYS)).isoformat()
    world = new_world(store=store, clock=clock, REPLICATE_SINCE=since, MOVE_STATUS="false")
    run_the_service(world)
    store.place_orders(5)
    world.advance(25 * 3600)

    given = [part for name, value in change.items() for part in ("--set", f"{name}={value}")]
    found = Ops(world).json("rehearse", *given)
    world.configure(REPLICATE_SINCE=since, **change)
    run_the_service(world)

    assert found["moves"]
    assert moves_of(found) == moved_by_the_service(store)
    assert found["rehearsal"]["requests"].keys() == {"GET"}


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "sandbox-access-token")


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    ("orders", "without"),
    [
        # Reading around an order that no list can contain is not forecast, and much of so few.
        (100, {"unservable"}),
        pytest.param(400, set(), marks=pytest.mark.exhaustive),
    ],
)
def test_what_is_forecast_of_a_store_that_the_service_was_not_written_for_happens(
    new_world, orders, without
):
    clock = SimulatedClock()
    store = foreign_store(orders, clock=clock, without=without)
    settings = {"NEW_STATUS_IDS": "11,7,10,12", "MAX_IN_FLIGHT": "1"}
    given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]

    found = json.loads(rehearse_store(store, *given, "--json").stdout)
    world = new_world(
        store=store,
        clock=clock,
        BIGCOMMERCE_STORE_HASH=store.store_hash,
        REPLICATE_SINCE=ALWAYS,
        **settings,
    )
    requests = run_the_service(world)

    moves = moves_of(found)
    assert moves == moved_by_the_service(store)
    assert {before for _, before, _ in moves} == {7, 10, 11, 12}
    stored = {item["id"] for item in world.items("orders")}
    assert {each[0] for each in moves} | ids_in(found["stored_and_not_moved"]) == stored
    assert found["first_sweep"]["total"] == pytest.approx(requests, rel=0.1)


def moves_by_kind(store: Store) -> set[tuple[int, int, int]]:
    """The moves that the documentation promises, by what the simulator knows of its orders."""
    moves = set()
    for order_id, record in store.book.records.items():
        status, kind = record.current.status, record.placed.kind
        is_shipped = kind in ("physical", "mixed", "partial_pickup")
        if record.current.archived or status not in (7, 10, 11) or (status == 10 and is_shipped):
            continue
        moves.add((order_id, status, 9 if is_shipped else 8))
    return moves


@pytest.mark.exhaustive
@pytest.mark.usefixtures("token")
def test_twenty_thousand_orders_are_forecast_completely():
    store = foreign_store(20_000, clock=SimulatedClock())

    found = json.loads(rehearse_store(store, "--limit", "20000", "--json").stdout)

    assert found["ended"] == "complete"
    assert found["orders"]["read"] == found["orders"]["in_store"]
    sets = 20_000 // ORDERS_PER_SET
    fails = ids_in(found["fails"])
    # Without REPLICATE_SINCE, an old order that is unreadable fails as well.
    assert len(fails) == sets * (len(FAILING) + 1)
    expected = {move for move in moves_by_kind(store) if move[0] not in fails}
    assert moves_of(found) == expected
    assert {route.split()[0] for route in store.requests} == {"GET"}


def test_a_paused_stage_is_reported(world, ops):
    world.store.place_order()
    ops("pause", "--reason", "stocktaking")

    found = ops.json("rehearse")

    assert len(found["moves"]) == 1
    assert "stocktaking" in found["notes"][0]


def test_nothing_but_get_requests_reaches_the_store(foreign, forecast):
    place_all_kinds(foreign)

    found = forecast()

    assert found["moves"]
    assert {route.split()[0] for route in foreign.requests} == {"GET"}
    assert sum(foreign.requests.values()) == found["rehearsal"]["requests"]["GET"]
    assert not moved_by_the_service(foreign)


def test_the_service_itself_cannot_move_an_order_through_the_gate(new_world):
    """The consumer decides to move the order, and the request does not leave the process."""
    # The lines come with the order, so that the next request is the move.
    world = new_world(EMBEDDED_READS="true")
    store = world.store
    order_id = store.place_order(via="api", coupons=0)
    wiring = Deployment.find(world.stack.stage, world.clock).wiring
    settings = wiring.settings
    gate = ReadOnly(settings.bigcommerce_api_url, settings.bigcommerce_store_hash)
    put_before(wiring.store, gate)
    message = OrderMessage(order_id=order_id, source="poll", queued_at=world.clock.now())

    consumer = wiring.replicator(Context("a test", timeout("replicate_orders"), world.clock))
    failed = consumer.consume([Delivery("1", "receipt", 1, message)])

    assert failed == ["1"]
    item = world.item(order_id)
    assert item and item["replication"]["moved_to"] == Status.AWAITING_SHIPMENT
    assert {route.split()[0] for route in store.requests} == {"GET"}
    assert store.order(order_id)["status_id"] == Status.AWAITING_FULFILLMENT


def test_what_a_person_should_check_is_listed(foreign, forecast):
    odd = place_all_kinds(foreign)

    found = forecast()["needs_a_person"]

    for concern, name in {
        "unpaid": "unpaid",
        "collected": "collected",
        "partly collected": "partly collected",
        "digital": "digital",
        "completed with goods": "completed, goods",
        "unreadable": "unreadable",
        "too large": "too large",
    }.items():
        assert odd[name] in found[concern]["ids"], concern
    assert "fewer lines than stated" not in found


@pytest.mark.parametrize("place", [1, 2], ids=["between others", "the newest"])
def test_an_order_that_no_list_can_contain_is_judged_or_reported(foreign, forecast, place):
    placed = foreign.place_orders(3, statuses=[Status.AWAITING_FULFILLMENT])
    below, bad = placed[0], placed[place]
    foreign.faults.add(Fault(route="GET /orders*", kind="unservable", order_id=bad, times=None))

    found = forecast()

    assert found["needs_a_person"]["unreadable"]["ids"] == [bad]
    assert below in {move["order_id"] for move in found["moves"]}
    assert found["orders"]["read"] == 3
    assert found["ended"] == "complete"


def test_a_store_that_sends_no_embedded_lines_is_forecast_all_the_same(foreign, forecast):
    kinds = ("physical", "digital", "pickup")
    foreign.faults.add(
        Fault(route="GET /orders", kind="status", status=400, embedded=True, times=None)
    )
    for kind in kinds:
        foreign.place_order(kind=kind, lines=2)
    foreign.place_order(status=Status.SHIPPED)

    found = forecast()

    assert [move["why"] for move in found["moves"]] == [
        "collected by the buyer",
        "digital",
        "goods to ship",
    ]
    assert foreign.requests["GET /orders/{id}/products"] == len(kinds), "only where it matters"


def test_the_moves_under_other_settings_are_those_that_a_rehearsal_of_them_forecasts(
    foreign, forecast
):
    place_all_kinds(foreign)
    found = forecast("--set", "CHANNEL_IDS=1,2")
    days_ago = (foreign.clock.now() - timedelta(days=7)).isoformat()

    for name, given in {
        "MOVE_UNPAID=false": ("--set", "CHANNEL_IDS=1,2", "--set", "MOVE_UNPAID=false"),
        "MOVE_STATUS=false": ("--set", "CHANNEL_IDS=1,2", "--set", "MOVE_STATUS=false"),
        "CHANNEL_IDS=3": ("--set", "CHANNEL_IDS=3"),
        "CHANNEL_IDS=": ("--set", "CHANNEL_IDS="),
        "REPLICATE_SINCE=7 days ago": (
            *("--set", "CHANNEL_IDS=1,2"),
            *("--replicate-since", days_ago),
        ),
    }.items():
        moves = len(forecast(*given)["moves"])
        assert found["other_settings"][name]["moves"] == moves, name
        assert found["other_settings"][name]["difference"] == moves - len(found["moves"])


def test_the_newest_orders_are_read_and_the_rest_is_estimated(foreign, forecast):
    ids = foreign.place_orders(600)

    found = forecast("--limit", "300")

    assert found["ended"] == "limit"
    assert (found["orders"]["newest"], found["orders"]["oldest"]) == (ids[-1], ids[300])
    everything = found["first_sweep"]["of_all_orders"]
    assert everything["orders"] == 600
    assert everything["total"] == 2 * found["first_sweep"]["total"]


def test_a_limit_that_is_exactly_reached_leaves_nothing_to_continue_with(foreign, forecast):
    foreign.place_orders(50)

    assert forecast("--limit", "50")["ended"] == "complete"


def test_the_number_of_orders_in_scope_is_estimated_by_their_ids(foreign, forecast):
    foreign.place_orders(600, over=timedelta(days=60))
    since = (foreign.clock.now() - timedelta(days=30)).isoformat()

    found = forecast("--limit", "100", "--replicate-since", since)

    assert found["first_sweep"]["of_all_orders"]["orders"] == pytest.approx(300, rel=0.02)


def test_a_share_of_the_quota_is_used_and_no_more(foreign, forecast):
    """Each of these orders takes a request of its own."""
    foreign.faults.add(
        Fault(route="GET /orders", kind="embedded", limit=0, warns=False, times=None)
    )
    foreign.place_orders(400, statuses=[Status.AWAITING_FULFILLMENT])

    forecast("--share", "0.1")
    foreign.clock.advance(60)

    assert len(foreign.windows) > 8
    assert max(window.used for window in foreign.windows) <= 45
    assert foreign.answers[429] == 0


def test_what_other_apps_use_of_the_quota_is_taken_into_account(foreign, forecast):
    foreign.place_orders(100)
    alone = forecast()["first_sweep"]
    foreign.clock.advance(60)
    foreign.use_quota(300)

    beside_others = forecast()["first_sweep"]

    assert alone["used_by_others"] == 0
    assert beside_others["used_by_others"] == 300
    assert beside_others["seconds"] > 2 * alone["seconds"]


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (lambda store: store.revoke_token(401), "rejects the access token"),
        (lambda store: store.revoke_token(403), "needs the scope Orders"),
        (
            lambda store: store.faults.add(Fault(route="*", kind="status", status=503, times=None)),
            "status.bigcommerce.com",
        ),
        (
            lambda store: store.faults.add(Fault(route="*", kind="status", status=429, times=None)),
            "used up by its other apps",
        ),
        (
            lambda store: store.faults.add(Fault(route="*", kind="drop_before", times=None)),
            "does not respond",
        ),
    ],
    ids=["token", "scope", "down", "throttled", "no answer"],
)
def test_an_error_of_the_store_is_one_sentence_and_leaves_nothing(
    foreign, rehearse, tmp_path, trouble, expected
):
    foreign.place_orders(20)
    trouble(foreign)

    result = rehearse(*files_in(tmp_path))

    assert_one_sentence(result, expected)
    assert list(tmp_path.iterdir()) == []


def files_in(folder: Path) -> list[str]:
    """The options that write files."""
    return ["--keep", str(folder / "kept.json"), "--report", str(folder / "page.html")]


def assert_one_sentence(result: Result, expected: str, code: int = 1) -> None:
    assert result.exit_code == code
    assert expected in result.output
    assert result.output.count("\n") == 1, result.output
    assert "Traceback" not in result.output


def test_a_wrong_store_hash_is_one_sentence(foreign, rehearse, tmp_path):
    result = rehearse("--store-hash", "other", *files_in(tmp_path))

    assert_one_sentence(result, "there is no store other")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_token_is_one_sentence(foreign, rehearse, tmp_path, monkeypatch):
    monkeypatch.setenv(TOKEN, "mistyped")

    result = rehearse(*files_in(tmp_path))

    assert_one_sentence(result, "rejects the access token")
    assert "mistyped" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_reached_is_one_sentence(foreign, rehearse, tmp_path):
    with foreign:
        url = foreign.url

    result = rehearse("--api-url", url, *files_in(tmp_path))

    assert_one_sentence(result, "does not respond")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("route", ["GET /orders/count", "GET /orders"])
def test_ctrl_c_before_an_order_is_read_leaves_nothing(foreign, rehearse, tmp_path, route):
    foreign.place_orders(20)
    foreign.faults.add(Fault(route=route, kind="before", act=press_ctrl_c))

    result = rehearse("--keep", str(tmp_path / "kept.json"))

    assert result.exit_code == 130
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("token")
def test_a_quota_that_other_apps_use_up_in_every_window_is_one_sentence(tmp_path):
    store = foreign_store(100, clock=SimulatedClock(), quota=150, used_by_others=150)

    result = rehearse_store(store, *files_in(tmp_path))

    assert_one_sentence(result, "used up by its other apps")
    assert list(tmp_path.iterdir()) == []


def test_a_quota_that_other_apps_use_up_meanwhile_is_waited_for(foreign, rehearse):
    foreign.place_orders(300)
    foreign.faults.add(
        Fault(route="GET /orders", kind="before", act=lambda: foreign.use_quota(450), times=2)
    )

    assert rehearse().exit_code == 0


def test_what_was_found_until_an_error_is_printed_as_partial(foreign, rehearse):
    foreign.place_orders(300, statuses=[Status.SHIPPED])
    foreign.faults.add(Fault(route="GET /orders*", kind="status", status=401, skip=2, times=None))

    result = rehearse("--json")

    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["is_partial"]
    assert found["orders"]["read"] == 250
    assert "access token" in found["error"]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C has its effect: a shell starts a program in the background with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_ctrl_c() -> None:
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    signal.pthread_kill(main_thread, signal.SIGINT)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_prints_what_was_found_as_partial(foreign, rehearse):
    foreign.place_orders(300)
    foreign.faults.add(Fault(route="GET /orders", kind="before", act=press_ctrl_c, skip=1))

    result = rehearse()

    assert result.exit_code == 130
    assert "PARTIAL" in result.output
    assert "--keep" in result.output


def without_effort(found: Any) -> Any:
    """A report without what the rehearsal itself took: parts take some requests more."""
    return {name: value for name, value in found.items() if name != "rehearsal"}


def shown(result: Result) -> str:
    """The report in the terminal, without the bar before it and the files after it."""
    report = result.stdout.partition("\n")[2].partition("\nWritten: ")[0]
    return without_sent(report)


def without_sent(text: str) -> str:
    return re.sub(r"The rehearsal sent [0-9,]+ requests", "", text)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("fault", "arguments", "code"),
    [
        (Fault(route="GET /orders", kind="before", act=press_ctrl_c, skip=2), (), 130),
        (Fault(route="GET /orders/*/products", kind="before", act=press_ctrl_c), (), 130),
        (Fault(route="GET /orders", kind="status", status=401, skip=2, times=2), (), 1),
        (None, ("--limit", "250"), 0),
    ],
    ids=["Ctrl-C after a page", "Ctrl-C within a page", "error", "limit"],
)
def test_a_continued_rehearsal_reports_the_same_as_one_run(
    foreign, rehearse, tmp_path, fault, arguments, code
):
    odd = place_all_kinds(foreign)
    foreign.place_orders(250)
    foreign.faults.add(
        Fault(route="GET /orders*", kind="unservable", order_id=odd["old"], times=None)
    )
    keep, page = tmp_path / "kept.json", tmp_path / "page.html"
    at_once = rehearse("--report", str(page))
    whole_page = page.read_text()
    # Otherwise the next run would count the requests of this one as those of other apps.
    foreign.clock.advance(60)
    whole = json.loads(rehearse("--json").stdout)
    foreign.clock.advance(60)
    if fault:
        foreign.faults.add(fault)
    given = ("--keep", str(keep), "--report", str(page), *arguments)

    first = rehearse(*given)
    continued = rehearse(*given)

    assert first.exit_code == code, first.output
    assert "The same command continues" in first.output
    assert continued.exit_code == 0, continued.output
    assert without_sent(page.read_text()) == without_sent(whole_page)
    assert shown(continued) == shown(at_once)
    again = json.loads(rehearse(*given, "--json").stdout)
    assert without_effort(again) == without_effort(whole)
    assert again["rehearsal"]["requests"]["GET"] > whole["rehearsal"]["requests"]["GET"]


def test_a_rehearsal_of_a_stage_is_continued(world, ops, tmp_path):
    world.store.place_orders(20)
    keep = str(tmp_path / "kept.json")
    whole = ops.json("rehearse")
    world.advance(60)

    first = ops.json("rehearse", "--limit", "10", "--keep", keep)
    found = ops.json("rehearse", "--limit", "10", "--keep", keep)

    assert (first["ended"], first["orders"]["read"]) == ("limit", 10)
    assert without_effort(found) == without_effort(whole)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--set", "MOVE_UNPAID=false"), "MOVE_UNPAID=true, and this run has MOVE_UNPAID=false"),
        (("--replicate-since", "2026-01-01"), "REPLICATE_SINCE=1970-01-01"),
        (("--store-hash", "other"), f"store={HASH}, and this run has store=other"),
    ],
)
def test_a_file_of_other_settings_or_another_store_is_refused(
    foreign, rehearse, tmp_path, arguments, expected
):
    foreign.place_orders(20)
    keep = tmp_path / "kept.json"
    rehearse("--keep", str(keep), "--limit", "10")
    before, requests = keep.read_text(), foreign.requests.total()

    result = rehearse("--keep", str(keep), *arguments)

    assert result.exit_code == 2
    assert expected in result.output
    assert "name another file, or delete this one" in result.output
    assert (keep.read_text(), foreign.requests.total()) == (before, requests)


@pytest.mark.parametrize("content", ["", "{}", '{"format": 2}', "[1, 2", "\x00"])
def test_a_file_that_is_something_else_is_refused_and_stays_as_it_is(rehearse, tmp_path, content):
    keep = tmp_path / "kept.json"
    keep.write_text(content)

    result = rehearse("--keep", str(keep))

    assert result.exit_code == 2
    assert "this is no file that" in result.output
    assert keep.read_text() == content


def test_an_error_before_an_order_is_read_leaves_the_file_as_it_was(foreign, rehearse, tmp_path):
    foreign.place_orders(20)
    keep = tmp_path / "kept.json"
    rehearse("--keep", str(keep), "--limit", "10")
    before = keep.read_text()
    foreign.revoke_token(401)

    assert rehearse("--keep", str(keep)).exit_code == 1
    assert rehearse("--keep", str(tmp_path / "new.json")).exit_code == 1
    assert keep.read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == [keep.name]


def test_what_was_found_is_printed_if_it_cannot_be_kept(foreign, rehearse, tmp_path):
    foreign.place_orders(20)
    folder = tmp_path / "removed"
    folder.mkdir()
    foreign.faults.add(Fault(route="GET /orders", kind="before", act=folder.rmdir))

    result = rehearse("--keep", str(folder / "kept.json"))

    assert result.exit_code == 1
    assert "20 of 20 orders in the store were read" in result.output
    assert "kept.json could not be written: No such file" in result.output


def test_the_file_names_no_person_and_has_no_token(foreign, rehearse, tmp_path):
    place_all_kinds(foreign)
    keep = tmp_path / "kept.json"

    rehearse("--keep", str(keep))

    text = keep.read_text()
    assert foreign.access_token not in text
    for order_id in foreign.order_ids():
        order = foreign.order(order_id)["billing_address"]
        for value in (order["email"], order["last_name"], order["street_1"], order["phone"]):
            assert not value or value not in text
    assert [path.name for path in tmp_path.iterdir()] == [keep.name]


def test_the_token_is_asked_for_and_never_printed(foreign, monkeypatch, tmp_path):
    foreign.place_orders(20)
    monkeypatch.delenv(TOKEN)
    report = tmp_path / "forecast.html"
    with foreign:
        given = ["--store-hash", HASH, "--api-url", foreign.url, "--report", str(report)]
        result = CliRunner().invoke(
            main, ["rehearse", *given], obj=foreign.clock, input=f"{foreign.access_token}\n"
        )

    assert result.exit_code == 0, result.output
    assert foreign.access_token not in result.output
    assert foreign.access_token not in report.read_text()
    assert [path.name for path in tmp_path.iterdir()] == [report.name]


class Page(HTMLParser):
    """The elements of a page, and everything by which it could load something."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[tuple[str, str | None]] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [each for each in attrs if each[0] in ("src", "href", "srcset", "data")]


def test_the_page_needs_nothing_else_and_names_no_person(foreign, rehearse, tmp_path):
    place_all_kinds(foreign)
    foreign.register_hook(destination="https://hooks.example.com/secret-path")
    report = tmp_path / "forecast.html"

    result = rehearse("--report", str(report))

    text = report.read_text()
    page = Page(report)
    assert not page.tags & {"script", "link", "img", "iframe", "object"}
    assert page.loads == []
    assert "url(" not in text and "@import" not in text
    for order_id in foreign.order_ids():
        order = foreign.order(order_id)["billing_address"]
        for value in (order["email"], order["last_name"], order["street_1"], order["phone"]):
            assert not value or value not in text + result.output
    assert "secret-path" not in text + result.output
    assert "hooks.example.com" in text


def test_text_of_the_store_is_escaped_in_the_page(foreign, rehearse, tmp_path):
    foreign.place_order()
    foreign.register_hook(scope="store/order/*", destination="https://<b>.example.com/")
    report = tmp_path / "forecast.html"

    rehearse("--report", str(report))

    assert "<b>" not in report.read_text()
    assert "&lt;b&gt;" in report.read_text()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("rehearse",), "--store-hash"),
        (("rehearse", "--store-hash", "Not-A-Hash"), "BIGCOMMERCE_STORE_HASH"),
        (("rehearse", "--store-hash", HASH, "--set", "ORDERS_TABLE=x"), "ORDERS_TABLE"),
        (("rehearse", "--store-hash", HASH, "--set", "MOVE_UNPAID"), "NAME=VALUE"),
        (("rehearse", "--store-hash", HASH, "--set", "NEW_STATUS_IDS=9"), "NEW_STATUS_IDS"),
        (("--stage", "dev", "rehearse", "--store-hash", HASH), "without --stage"),
        (("rehearse", "--store-hash", HASH, "--report", "nowhere/forecast.html"), "nowhere"),
        (("rehearse", "--store-hash", HASH, "--keep", "nowhere/kept.json"), "nowhere"),
        (("status",), "Missing option '--stage'"),
    ],
)
def test_a_wrong_use_is_reported_before_anything_is_read(foreign, arguments, expected):
    result = CliRunner().invoke(main, list(arguments), obj=foreign.clock)

    assert result.exit_code == 2
    assert expected in result.output


def test_the_stage_of_the_environment_gives_way_to_a_store(foreign, rehearse, monkeypatch):
    monkeypatch.setenv("STAGE", "prod")

    assert rehearse().exit_code == 0


def test_a_store_without_orders(foreign, rehearse):
    result = rehearse()

    assert result.exit_code == 0
    assert "No orders were read" in result.output
