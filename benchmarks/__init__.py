"""Benchmarks: requests to the store, speed, memory and cost. Nothing in here is deployed."""
