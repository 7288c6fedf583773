"""The embedded-reads command: whether the embedded lists of the store can be trusted."""
