"""A simulated BigCommerce store and AWS on one machine. It is not deployed."""
