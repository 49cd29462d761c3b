"""The HTTP side of prodgen: orders in, progress and links out. It imports no torch."""
