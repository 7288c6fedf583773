"""The destinations commands: list the receivers of events, and set the secret of an endpoint."""
