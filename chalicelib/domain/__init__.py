"""The rules and values of replication: pure, and importing nothing outside this folder."""
