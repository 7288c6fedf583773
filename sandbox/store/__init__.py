"""A BigCommerce store, simulated from its documents; it imports nothing outside this folder."""

from sandbox.store.store import Store

__all__ = ["Store"]
