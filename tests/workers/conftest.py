"""The ledger's fixtures: a real server, and a store in memory."""

from tests.ledger.conftest import client, ledger, memory, quick_valkey, run_out

__all__ = ["client", "ledger", "memory", "quick_valkey", "run_out"]
