"""The webhook commands: register, list, remove or test the webhook at the store."""
