"""The service: what ships to Lambda beside app.py."""
