"""The ``prodgen`` command."""

import os
import sys

from typer import Abort
from typer.exceptions import TyperException

from prodgen.cli.app import app
from prodgen.errors import ProdgenError

_STOPPED = 130


def main() -> None:
    """Run the command; a user's mistake is one sentence on stderr and exit code 2."""
    # Threads that spin while they wait cost a busy machine most of its speed; read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        sys.exit(app(standalone_mode=False))
    except TyperException as error:  # such as an unknown option; empty where the help was printed instead
        _say(" ".join(error.format_message().split()))
        sys.exit(error.exit_code)
    except ProdgenError as error:
        _say(str(error))
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(141)
    except OSError as error:
        if error.filename is None:
            raise
        _say(f"{error.filename}: {error.strerror}")
        sys.exit(2)
    except (Abort, KeyboardInterrupt):
        sys.exit(_STOPPED)


def _say(sentence: str) -> None:
    if sentence:
        sys.stderr.write(f"prodgen: {sentence}\n")
