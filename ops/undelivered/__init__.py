"""The commands for events that a destination did not take: list, redrive or drop them."""
