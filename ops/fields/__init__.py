"""The fields command: what has changed in the fields of the store's orders."""
