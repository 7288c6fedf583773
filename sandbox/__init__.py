"""A BigCommerce store and the AWS that calls us, on one machine. Never ships."""
