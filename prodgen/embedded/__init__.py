"""The embedded stack: all processes of the system on one machine, as ``prodgen up`` runs them."""
