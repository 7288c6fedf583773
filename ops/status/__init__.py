"""The status command: polls, queues and orders on one screen."""
