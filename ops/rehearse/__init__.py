"""The rehearse command: forecasts, from a store's own orders, what the service would do with it."""
