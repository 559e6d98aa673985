"""Which options a loss compares with which."""
