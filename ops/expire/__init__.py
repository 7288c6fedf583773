"""The expire command: applies the retention of orders to the items that are in the table."""
