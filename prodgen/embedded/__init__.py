"""The whole system on one machine: ``prodgen up``."""
