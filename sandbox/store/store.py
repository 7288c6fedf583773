"""A BigCommerce store on this machine: its shoppers, its merchant, its webhooks and its HTTP API.

    with Store() as store:
        order_id = store.place_order()
        requests.get(f"{store.url}/stores/{store.store_hash}/v2/orders/{order_id}",
                     headers={"X-Auth-Token": store.access_token})

`python -m sandbox.store --orders 200` runs it alone."""

import threading
from collections import Counter
from email.utils import formatdate
from types import TracebackType
from typing import Literal, Self

from werkzeug import Request, Response

from sandbox.store.api import Answered, Api
from sandbox.store.callbacks import Callback, CallbackAttempt, Callbacks
from sandbox.store.clock import Clock, SystemClock
from sandbox.store.control import Control
from sandbox.store.faults import Faults
from sandbox.store.hooks import create_hook
from sandbox.store.ratelimit import RateLimit, Window
from sandbox.store.serving import Server
from sandbox.store.shop import Shop

DELIVERY_SECONDS = 0.1
"""Seconds between two checks for due callbacks of a store that delivers in the background."""


class Store(Shop):
    """A shop with an HTTP API. Times are the clock's; only `latency` is real seconds."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        store_hash: str = "sandbox",
        access_token: str = "sandbox-access-token",  # noqa: S107  (opens nothing but this sandbox)
        client_secret: str = "sandbox-client-secret",  # noqa: S107  (signs nothing else either)
        seed: int = 1,
        quota: int = 150,
        used_by_others: int = 0,
        window_seconds: float = 30.0,
        latency: float = 0.0,
        retry_scale: float = 1.0,
        sign_callbacks: bool = True,
        archived_answers: Literal["404", "200"] = "404",
        wraps_fees: bool = False,
        client_timeout: float | None = None,
        date_skew: float = 0.0,
    ) -> None:
        """`quota` requests per window, of which other apps use `used_by_others`; `latency` is
        slept on each request; `retry_scale` multiplies the delays between the attempts of a
        callback; `wraps_fees` answers `/fees` with an object;
        with `client_timeout` the faults slow, late and hang last no longer than that by the clock,
        and end without an answer; `date_skew` seconds are added to the header Date."""
        clock = clock or SystemClock()
        callbacks = Callbacks(
            clock=clock,
            store_hash=store_hash,
            client_secret=client_secret,
            seed=seed,
            retry_scale=retry_scale,
            signed=sign_callbacks,
        )
        super().__init__(
            clock=clock,
            store_hash=store_hash,
            seed=seed,
            callbacks=callbacks,
            shows_archived=archived_answers == "200",
            wraps_fees=wraps_fees,
        )
        self.access_token = access_token
        self.faults = Faults()
        self.sign = callbacks.sign
        self._limit = RateLimit(clock, quota, window_seconds, used_by_others)
        self.date_skew = date_skew
        self._revoked: dict[str, int] = {}
        self._api = Api(self, self._limit, self.faults, self._valid_token, latency, client_timeout)
        self.control = Control(self, self.faults, self._api)
        self._server: Server | None = None
        self._stopped = threading.Event()
        self._delivery: threading.Thread | None = None

    @property
    def requests(self) -> Counter[str]:
        """How often each route of the API was requested: "GET /orders/{id}"."""
        return self._api.requests

    @property
    def answers(self) -> Counter[int]:
        """How often each status was answered."""
        return self._api.answers

    @property
    def recent(self) -> list[Answered]:
        """The last answers of the API, the newest first."""
        with self.lock:
            return list(reversed(self._api.recent))

    @property
    def is_token_revoked(self) -> bool:
        return self.access_token in self._revoked

    def answer(self, request: Request) -> Response | None:
        """The response to any request; None closes the connection without one."""
        is_api = request.path.startswith("/stores/")
        response = (self._api if is_api else self.control).answer(request)
        if response is not None:
            response.headers["Date"] = formatdate(self.clock.time() + self.date_skew, usegmt=True)
        return response

    def start(self, port: int = 0) -> Self:
        """Serve on 127.0.0.1; port 0 takes a free one."""
        self._stopped.clear()
        self._server = Server(port, self.answer)
        return self

    def stop(self) -> None:
        self._stopped.set()
        if self._delivery is not None:
            self._delivery.join()
            self._delivery = None
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        return self if self._server else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`, without the slash at the end."""
        if self._server is None:
            raise RuntimeError("the store has not been started")
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def windows(self) -> list[Window]:
        """The past rate-limit windows that had requests."""
        with self.lock:
            self._limit.roll()
            return list(self._limit.finished)

    def use_quota(self, requests: int) -> None:
        """Use up quota as another app on the store would."""
        with self.lock:
            self._limit.use(requests)

    def _valid_token(self) -> str | int:
        return self._revoked.get(self.access_token, self.access_token)

    def revoke_token(self, status: Literal[401, 403] = 401) -> None:
        """Answer this status until the token is restored, or `access_token` is another one."""
        self._revoked[self.access_token] = status

    def restore_token(self) -> None:
        self._revoked.pop(self.access_token, None)

    def replace_api_account(self, *, access_token: str, client_secret: str) -> None:
        """Delete the API account and make another one; the hooks of the old one are lost."""
        with self.working():
            self.access_token = access_token
            self.callbacks.secret = client_secret
            self.lose_hooks()

    def lose_hooks(self) -> None:
        """Lose every hook and every pending callback."""
        self.callbacks.remove_all()

    def register_hook(
        self,
        *,
        scope: str = "store/cart/converted",
        destination: str,
        headers: dict[str, str] | None = None,
    ) -> int:
        """Register a webhook as the API does; returns its id. Raises hooks.Refused."""
        fields = {"scope": scope, "destination": destination, "headers": headers or {}}
        return int(create_hook(self.callbacks, 0, {}, fields).data["id"])

    def deliver_webhooks(self) -> list[CallbackAttempt]:
        """Send every callback that is due, once each; failed ones are retried later."""
        return self.callbacks.deliver()

    @property
    def pending_callbacks(self) -> list[Callback]:
        """The pending callbacks, the next one first."""
        return self.callbacks.pending

    @property
    def next_callback_at(self) -> float | None:
        """When the next callback is due, in epoch seconds."""
        return next((callback.due for callback in self.pending_callbacks), None)

    def start_delivering(self) -> None:
        """Deliver due callbacks in the background until the store stops."""
        if self._delivery is None:
            self._delivery = threading.Thread(target=self._deliver_until_stopped, daemon=True)
            self._delivery.start()

    def _deliver_until_stopped(self) -> None:
        while not self._stopped.wait(DELIVERY_SECONDS):
            self.deliver_webhooks()
