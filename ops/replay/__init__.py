"""The replay command: reads and stores orders again."""
