"""The events command: publishes events again."""
