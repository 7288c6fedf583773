"""The retry command: replicates failing orders now."""
