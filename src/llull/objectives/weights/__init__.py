"""How much, and how far, a judgment counts."""
