"""The entry point of the ``prodgen`` command, and its exit codes."""

import os
import sys

from typer import Abort
from typer.exceptions import TyperException

from prodgen.cli.app import app
from prodgen.cli.folders import DISK_ERRORS
from prodgen.errors import CannotWrite, ProdgenError
from prodgen.library_warnings import redirect_warnings

_FAILED, _REFUSED, _STOPPED, _BROKEN_PIPE = 1, 2, 130, 141


def main() -> None:
    """Run the command that the process was started with, then exit. Print an error as one sentence on stderr.

    If an error has several faults, such as faulty rows of an order, print each on a line of its own. The exit
    code after an error is 1 if the disk failed, or 2 if the command could not be carried out.
    """
    # Threads that spin while they wait slow a busy machine down. torch reads this when it is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    redirect_warnings()
    try:
        sys.exit(app(standalone_mode=False))
    except TyperException as error:  # such as an unknown option; empty if the help was printed instead
        _fail(" ".join(error.format_message().replace("Value error, ", "").split()), error.exit_code)
    except CannotWrite as error:
        _fail(str(error), _FAILED)
    except ProdgenError as error:
        further = [f"and {error.more:,} more"] * (error.more > 0)
        _fail("\n  ".join([str(error), *map(str, error.details[1:]), *further]), _REFUSED)
    except BrokenPipeError:
        sys.exit(_BROKEN_PIPE)
    except OSError as error:
        if error.filename is None and error.errno not in DISK_ERRORS:
            raise
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror}", _FAILED if error.errno in DISK_ERRORS else _REFUSED)
    except (Abort, KeyboardInterrupt):
        sys.exit(_STOPPED)


def _fail(sentence: str, code: int) -> None:
    if sentence:
        sys.stderr.write(f"prodgen: {sentence}\n")
    sys.exit(code)
