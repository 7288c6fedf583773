"""The audit command: checks that every new order of the store is in the table."""
