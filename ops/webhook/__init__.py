"""The webhook commands: register, list, remove or test the store's webhook."""
