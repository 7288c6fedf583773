"""The doctor command: checks a stage, one module for each kind of resource."""
