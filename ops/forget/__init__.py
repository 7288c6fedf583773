"""The forget command: removes a person's orders from the tables."""
