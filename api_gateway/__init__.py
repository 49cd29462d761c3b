"""The HTTP API of prodgen. It takes orders and runs, shows their progress, and imports no torch."""
