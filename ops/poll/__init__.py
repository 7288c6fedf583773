"""The poll and replay commands."""
