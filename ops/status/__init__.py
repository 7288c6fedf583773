"""The status command: polls, queues, orders and webhooks on one screen."""
