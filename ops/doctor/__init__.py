"""The doctor command: every check of a stage, one module for each kind of resource."""
