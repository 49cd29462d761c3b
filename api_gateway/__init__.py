"""The HTTP API of prodgen: order images, queue runs, and follow both. Imports no torch."""
