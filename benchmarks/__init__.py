"""How many requests, how fast, how much memory. Figures, never tests; nothing here ships."""
