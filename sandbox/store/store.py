"""A BigCommerce store on this machine: its shoppers, its merchant, its webhooks and its HTTP API.

    with Store() as store:
        order_id = store.place_order()
        requests.get(f"{store.url}/stores/{store.store_hash}/v2/orders/{order_id}",
                     headers={"X-Auth-Token": store.access_token})

`python -m sandbox.store --orders 200` runs it alone."""

import threading
import time
from collections import Counter
from hmac import compare_digest
from types import TracebackType
from typing import Literal, Self

from sandbox.store import api, control
from sandbox.store.callbacks import Callback, CallbackAttempt, Callbacks
from sandbox.store.clock import SimulatedClock, SystemClock
from sandbox.store.faults import Faults
from sandbox.store.hooks import create_hook
from sandbox.store.ratelimit import RateLimit, Window
from sandbox.store.rendering import Answer, Request
from sandbox.store.server import Server
from sandbox.store.shop import Shop

DELIVERY_SECONDS = 0.1
"""How often a store that delivers by itself looks for callbacks that are due."""


class Store(Shop):
    """A shop that is open over HTTP. Times are the clock's; `latency` alone is real seconds."""

    def __init__(
        self,
        *,
        clock: SystemClock | SimulatedClock | None = None,
        store_hash: str = "sandbox",
        access_token: str = "sandbox-access-token",  # noqa: S107  (opens nothing but this sandbox)
        client_secret: str = "sandbox-client-secret",  # noqa: S107  (signs nothing else either)
        seed: int = 1,
        quota: int = 150,
        window_seconds: float = 30.0,
        latency: float = 0.0,
        retry_scale: float = 1.0,
        sign_callbacks: bool = True,
        archived_answers: Literal["404", "200"] = "404",
    ) -> None:
        """`quota` requests per window; `latency` is slept on each request; `retry_scale` multiplies
        the waits between the deliveries of a callback."""
        clock = clock or SystemClock()
        callbacks = Callbacks(
            clock=clock,
            store_hash=store_hash,
            client_secret=client_secret,
            seed=seed,
            retry_scale=retry_scale,
            signed=sign_callbacks,
        )
        super().__init__(clock=clock, store_hash=store_hash, seed=seed, callbacks=callbacks)
        self.store_hash, self.access_token = store_hash, access_token
        self.limit = RateLimit(clock, quota, window_seconds)
        self.faults = Faults()
        self.requests: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()
        self.sign = callbacks.sign
        self._latency = latency
        self._shows_archived = archived_answers == "200"
        self._token_is_good = True
        self._server: Server | None = None
        self._stopped = threading.Event()
        self._delivery: threading.Thread | None = None

    def start(self, port: int = 0) -> Self:
        """Listen on 127.0.0.1; port 0 takes a free one."""
        self._stopped.clear()
        self._server = Server(port, self.answer_to)
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
        """The rate-limit windows that are over and were used."""
        with self.lock:
            self.limit.roll()
            return list(self.limit.finished)

    def use_quota(self, requests: int) -> None:
        """Another app on the store makes requests."""
        with self.lock:
            self.limit.use(requests)

    def revoke_token(self) -> None:
        self._token_is_good = False

    def restore_token(self) -> None:
        self._token_is_good = True

    def register_hook(
        self,
        *,
        scope: str = "store/cart/converted",
        destination: str,
        headers: dict[str, str] | None = None,
    ) -> int:
        """Register a webhook by the rules of the API; its id. Raises hooks.Refused."""
        fields = {"scope": scope, "destination": destination, "headers": headers or {}}
        return int(create_hook(self.callbacks, 0, {}, fields).data["id"])

    def deliver_webhooks(self) -> list[CallbackAttempt]:
        """Send every callback that is due, once each; what fails is due again later."""
        return self.callbacks.deliver()

    @property
    def pending_callbacks(self) -> list[Callback]:
        """The callbacks on their way, the next one first."""
        return self.callbacks.pending

    @property
    def next_callback_at(self) -> float | None:
        """When the next callback is due, in epoch seconds."""
        return next((callback.due for callback in self.pending_callbacks), None)

    def start_delivering(self) -> None:
        """Deliver in the background as time passes, until the store stops."""
        if self._delivery is None:
            self._delivery = threading.Thread(target=self._deliver_for_ever, daemon=True)
            self._delivery.start()

    def _deliver_for_ever(self) -> None:
        while not self._stopped.wait(DELIVERY_SECONDS):
            self.deliver_webhooks()

    def admits(self, token: str | None) -> bool:
        given = (token or "").encode()
        return self._token_is_good and compare_digest(given, self.access_token.encode())

    def shows(self, order_id: int) -> bool:
        """Whether a single read finds the order."""
        if order_id not in self.book.records:
            return False
        return self._shows_archived or not self.book.version(order_id).archived

    def clock_in(self, route: str) -> None:
        """Count a request and let its latency pass, while others go on."""
        with self.lock:
            self.requests[route] += 1
        if self._latency:
            time.sleep(self._latency)

    def answer_to(self, request: Request) -> Answer | None:
        """The answer to a request however it came here; None closes the connection."""
        if request.target.startswith("/sandbox/"):
            return control.answer(self, request)
        answer = api.answer(self, request)
        if answer is not None:
            with self.lock:
                self.answers[answer.status] += 1
        return answer
