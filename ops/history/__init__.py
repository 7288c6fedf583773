"""The history command, and the record of changes that it lists."""
