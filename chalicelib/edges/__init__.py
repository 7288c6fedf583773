"""The systems at the other end: one module per system, each translating its failures."""
