"""The gate of a rehearsal: only GET requests for the orders and hooks of one store pass it."""

import pytest
import requests
import responses

from chalicelib.edges.bigcommerce import BigCommerce
from chalicelib.edges.bigcommerce_hooks import Hooks
from chalicelib.edges.pacing import Pacer
from chalicelib.edges.ssm import Secret
from ops.rehearse.gate import ReadOnly, Refused, put_before
from ops.store import create_hook, delete_hook, may_modify, notify
from tests.factories import STORE_HASH, V2, V3, FakeClock

API = "https://api.bigcommerce.com"


@pytest.fixture
def store() -> BigCommerce:
    clock = FakeClock()
    return BigCommerce.connect(API, STORE_HASH, Secret(None, "", clock), Pacer(clock, 1))  # type: ignore[arg-type]  # without a parameter it is never called


@pytest.fixture
def gate(store: BigCommerce) -> ReadOnly:
    gate = ReadOnly(API, STORE_HASH)
    put_before(store, gate)
    return gate


@pytest.fixture
def network():
    """Fails for every request that gets out and is not expected."""
    with responses.RequestsMock() as mock:
        yield mock


@pytest.mark.parametrize(
    "url",
    [
        f"{V2}/orders?limit=250",
        f"{V2}/orders/count",
        f"{V2}/orders/118",
        f"{V2}/orders/118/products?page=1",
        f"{V3}/hooks",
        f"{V3}/hooks/admin",
    ],
)
def test_a_read_of_the_store_passes(gate, store, network, url):
    network.get(url, json=[])

    assert store.session.get(url).status_code == 200
    assert dict(gate.sent) == {"GET": 1}


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "get"])
def test_no_other_method_passes(gate, store, network, method):
    request = requests.Request("GET", f"{V2}/orders/118").prepare()
    request.method = method

    with pytest.raises(Refused, match="GET requests only"):
        store.session.send(request)

    assert not gate.sent


@pytest.mark.parametrize(
    "url",
    [
        f"https://api.example.com/stores/{STORE_HASH}/v2/orders",
        f"http://api.bigcommerce.com/stores/{STORE_HASH}/v2/orders",
        f"https://api.bigcommerce.com:8443/stores/{STORE_HASH}/v2/orders",
        f"https://api.bigcommerce.com.example.com/stores/{STORE_HASH}/v2/orders",
        f"https://user@api.bigcommerce.com/stores/{STORE_HASH}/v2/orders",
    ],
)
def test_no_other_host_passes(gate, store, network, url):
    with pytest.raises(Refused, match="another host"):
        store.session.get(url)


@pytest.mark.parametrize(
    "path",
    [
        "/stores/other/v2/orders",
        f"/stores/{STORE_HASH}x/v2/orders",
        f"/stores/{STORE_HASH}/v2/customers",
        f"/stores/{STORE_HASH}/v2/orders/118/messages",
        f"/stores/{STORE_HASH}/v2/orders/118/products/../../../customers",
        f"/stores/{STORE_HASH}/v2/orders/%2e%2e/customers",
        f"/stores/{STORE_HASH}/v3/hooks/1",
        f"/x/stores/{STORE_HASH}/v2/orders",
        "/",
    ],
)
def test_no_other_path_passes(gate, store, network, path):
    with pytest.raises(Refused, match="a path"):
        store.session.get(f"{API}{path}")


@pytest.mark.parametrize(
    "options", [{"json": {"status_id": 9}}, {"headers": {"X-HTTP-Method-Override": "PUT"}}]
)
def test_no_get_passes_that_could_be_taken_for_a_write(gate, store, network, options):
    with pytest.raises(Refused, match="no body"):
        store.session.get(f"{V2}/orders/118", **options)


@pytest.mark.parametrize(
    "there", ["https://example.com/", f"{API}/stores/other/v2/orders", f"{V2}/customers"]
)
def test_a_redirect_is_followed_to_nowhere_else(gate, store, network, there):
    network.get(f"{V2}/orders", status=302, headers={"Location": there})

    with pytest.raises(Refused):
        store.session.get(f"{V2}/orders", allow_redirects=True)


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.set_status(118, 9),
        may_modify,
        lambda store: Hooks.of(store).change(1, is_active=True),
        lambda store: create_hook(Hooks.of(store), "store/order/*", "https://example.com", {}),
        lambda store: delete_hook(Hooks.of(store), 1),
        lambda store: notify(Hooks.of(store), ["someone@example.com"]),
    ],
)
def test_everything_that_writes_to_the_store_is_refused(gate, store, network, write):
    with pytest.raises(Refused):
        write(store)


def test_an_error_does_not_repeat_the_query(gate, store, network):
    with pytest.raises(Refused) as caught:
        store.session.post(f"{V2}/orders?email=jane.doe@example.com")

    assert "jane.doe" not in str(caught.value)


def test_no_adapter_is_left_beside_the_gate(gate, store):
    assert list(store.session.adapters.values()) == [gate]
