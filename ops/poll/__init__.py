"""The poll command: runs poll_orders now."""
