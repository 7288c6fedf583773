"""The operator's command line for a deployed stage; it does not ship to Lambda."""
