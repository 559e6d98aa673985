"""One file for each released format. Adding a format is adding a file here: it is found by its ``FORMATS``."""
