"""The backfill command: historical orders into the table."""
