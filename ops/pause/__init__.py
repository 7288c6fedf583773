"""The pause and resume commands: stop moves, and allow them again."""
