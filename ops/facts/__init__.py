"""The facts command: whether BigCommerce behaves as the service and the simulator assume."""
