"""The backfill command: copies historical orders into the table."""
