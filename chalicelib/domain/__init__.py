"""Values and rules of replication: pure functions that import nothing outside this folder."""
