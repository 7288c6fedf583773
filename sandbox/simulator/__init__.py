"""What the store simulator is made of; sandbox.store is its door."""
