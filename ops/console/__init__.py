"""The console: pages in the browser for a stage, served on this machine only."""
