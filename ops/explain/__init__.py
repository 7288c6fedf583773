"""The explain command: why an order is in the table or not."""
