"""How far scores are from a judgment."""
