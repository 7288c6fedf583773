"""The dead-letters commands: list, redrive or drop messages in the dead-letter queue."""
