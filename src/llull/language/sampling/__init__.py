"""Text from models: one interface over a model in this process and over a server."""
