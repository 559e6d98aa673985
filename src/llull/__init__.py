"""Llull carries human and AI preferences from the first vote to the last report."""
