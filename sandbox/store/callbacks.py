"""Webhooks: registrations, and the delivery of callbacks with all retries."""

import hashlib
import heapq
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import requests

from sandbox.store.blocking import Blocks
from sandbox.store.clock import Clock
from sandbox.store.signing import sign

RETRIES_AFTER = (60, 180, 300, 600, 900, 1800, 3600, 7200, 21600, 50400, 86400)
"""Seconds from one failed attempt to the next."""
STORE_ID = "1000042"
TIMEOUT_SECONDS = (3.05, 10.0)


@dataclass(frozen=True)
class Hook:
    """One registration; times in epoch seconds."""

    id: int
    scope: str
    destination: str
    headers: Mapping[str, str]
    created_at: int
    updated_at: int
    is_active: bool = True
    deactivated: bool = False

    def matches(self, scope: str) -> bool:
        return self.scope == scope or (
            self.scope.endswith("/*") and scope.startswith(self.scope[:-1])
        )

    @property
    def status(self) -> str:
        if self.is_active:
            return "active"
        return "deactivated" if self.deactivated else "inactive"


@dataclass(frozen=True, order=True)
class Callback:
    """A pending callback: `due` in epoch seconds, `attempt` the number of the next attempt."""

    due: float
    number: int
    hook_id: int = field(compare=False)
    scope: str = field(compare=False)
    order_id: int = field(compare=False)
    body: bytes = field(compare=False)
    attempt: int = field(compare=False, default=1)


@dataclass(frozen=True)
class CallbackAttempt:
    """One delivery; `status` is None without a response."""

    hook_id: int
    scope: str
    order_id: int
    status: int | None
    attempt: int

    @property
    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Callbacks:
    """The registrations and the pending callbacks."""

    def __init__(
        self,
        *,
        clock: Clock,
        store_hash: str,
        client_secret: str,
        seed: int,
        retry_scale: float,
        signed: bool,
    ) -> None:
        self.hooks: dict[int, Hook] = {}
        self.emails: list[str] = []
        self._clock, self.store_hash, self.secret = clock, store_hash, client_secret
        self._seed, self._scale, self._signed = seed, retry_scale, signed
        self._queue: list[Callback] = []
        self.blocks = Blocks(clock, retry_scale)
        self._events = 0
        self._lock = threading.RLock()
        self._delivering = threading.Lock()

    def register(self, *, scope: str, destination: str, headers: Mapping[str, str]) -> Hook:
        with self._lock:
            now = int(self._clock.time())
            number = max(self.hooks, default=30_000_000) + 1
            hook = Hook(number, scope, destination, dict(headers), now, now)
            self.hooks[number] = hook
            return hook

    def change(self, hook_id: int, **changes: Any) -> Hook:
        """Reactivating a hook resets its failures; missed callbacks are not sent again."""
        with self._lock:
            now = int(self._clock.time())
            hook = replace(self.hooks[hook_id], updated_at=now, deactivated=False, **changes)
            self.hooks[hook_id] = hook
            return hook

    def remove(self, hook_id: int) -> Hook:
        with self._lock:
            return self.hooks.pop(hook_id)

    def remove_all(self) -> None:
        """Lose every hook and every pending callback, as with a deleted API account."""
        with self._lock:
            self.hooks.clear()
            self._queue.clear()

    def announce(self, scope: str, order_id: int, data: Mapping[str, Any]) -> None:
        """Queue the event for every active hook with a matching scope; without one it is lost."""
        with self._lock:
            hooks = [hook for hook in self.hooks.values() if hook.is_active and hook.matches(scope)]
            if not hooks:
                return
            body, now = self.body(scope, data), self._clock.time()
            for hook in hooks:
                self._events += 1
                callback = Callback(now, self._events, hook.id, scope, order_id, body)
                heapq.heappush(self._queue, callback)

    def body(self, scope: str, data: Mapping[str, Any]) -> bytes:
        """The callback's body; as in BigCommerce, `hash` cannot be computed from it."""
        with self._lock:
            self._events += 1
            mark = f"{self._seed}/{self._events}".encode()
        content = {
            "scope": scope,
            "store_id": STORE_ID,
            "data": data,
            "hash": hashlib.sha256(mark).hexdigest()[:40],
            "created_at": int(self._clock.time()),
            "producer": f"stores/{self.store_hash}",
        }
        return json.dumps(content, separators=(",", ":")).encode()

    @property
    def pending(self) -> list[Callback]:
        with self._lock:
            return sorted(self._queue)

    def deliver(self) -> list[CallbackAttempt]:
        """Send each callback that is due, once."""
        with self._delivering, requests.Session() as session:
            session.trust_env = False
            attempts = [self._send(session, callback) for callback in self._take_due()]
        return [attempt for attempt in attempts if attempt]

    def _take_due(self) -> list[Callback]:
        with self._lock:
            now, due = self._clock.time(), []
            while self._queue and self._queue[0].due <= now:
                due.append(heapq.heappop(self._queue))
            return due

    def _send(self, session: requests.Session, callback: Callback) -> CallbackAttempt | None:
        hook = self.hooks.get(callback.hook_id)
        if hook is None or not hook.is_active:
            return None
        domain = urlsplit(hook.destination).netloc
        if (end := self.blocks.end(domain)) is not None:
            self._put_back(replace(callback, due=end))
            return None
        status = self._post(session, hook, callback)
        attempt = CallbackAttempt(
            hook.id, callback.scope, callback.order_id, status, callback.attempt
        )
        self.blocks.note(domain, attempt.succeeded)
        if not attempt.succeeded:
            self._retry(callback)
        return attempt

    def _post(self, session: requests.Session, hook: Hook, callback: Callback) -> int | None:
        name = f"msg_{self._seed}_{callback.number}"
        # Retries have the first signature, the worst case: BigCommerce does not document it.
        at = json.loads(callback.body)["created_at"]
        signature = self.sign(callback.body, webhook_id=name, timestamp=at) if self._signed else {}
        headers = {"Content-Type": "application/json", **signature, **hook.headers}
        try:
            return session.post(
                hook.destination,
                data=callback.body,
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            ).status_code
        except requests.RequestException:
            return None

    def _put_back(self, callback: Callback) -> None:
        with self._lock:
            heapq.heappush(self._queue, callback)

    def _retry(self, callback: Callback) -> None:
        """Schedule the next attempt; after the last one, deactivate the hook."""
        if callback.attempt <= len(RETRIES_AFTER):
            wait = RETRIES_AFTER[callback.attempt - 1] * self._scale
            due = self._clock.time() + wait
            self._put_back(replace(callback, due=due, attempt=callback.attempt + 1))
            return
        with self._lock:
            hook = self.hooks.get(callback.hook_id)
            if hook is not None:
                self.hooks[hook.id] = replace(hook, is_active=False, deactivated=True)
            self._queue = [other for other in self._queue if other.hook_id != callback.hook_id]
            heapq.heapify(self._queue)

    def sign(
        self,
        body: bytes,
        *,
        webhook_id: str | None = None,
        timestamp: int | None = None,
        secret: str | None = None,
    ) -> dict[str, str]:
        """The signature headers of a body, by default of now; see `signing.sign`."""
        given = self.secret if secret is None else secret
        at = int(self._clock.time()) if timestamp is None else timestamp
        return sign(body, secret=given, webhook_id=webhook_id, timestamp=at)
