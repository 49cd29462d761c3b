"""The ``prodgen`` command."""

import os
import sys

from prodgen.cli.app import app
from prodgen.errors import ProdgenError


def main() -> None:
    """Run the command; a user's mistake is one sentence on stderr and exit code 2."""
    # Threads that spin while they wait cost a busy machine most of its speed; read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except ProdgenError as error:
        sys.stderr.write(f"prodgen: {error}\n")
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(141)
    except OSError as error:
        if error.filename is None:
            raise
        sys.stderr.write(f"prodgen: {error.filename}: {error.strerror}\n")
        sys.exit(2)
