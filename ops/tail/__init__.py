"""The events tail command: shows events as they are delivered, and forwards them."""
