"""One module per external system; each translates that system's errors."""
