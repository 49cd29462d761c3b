"""Structured logs for every kind of process: JSON lines for machines, readable lines on a terminal."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from prodgen.library_warnings import redirect_warnings

_HANDLER = "prodgen"


def configure(process: str, level: int = logging.INFO) -> None:
    """Write each log record of this process to stderr as one line, which contains the name ``process``.

    The lines are JSON in production, and when stderr is not a terminal. Records of structlog and of `logging`
    get the same fields: time, level, logger, message, process, the ids of `bind` and `bound`, the record's
    ``extra`` and, for an exception, its traceback. Warnings of libraries are logged too. Handlers that other
    code has installed stay in place. If the variable PRODGEN_REQUEST_ID is set, as in the processes of a
    queued run, each line also has this id.
    """
    # Read without `Settings`, because a process of torchrun has no secret key, which `Settings` would check.
    production = os.environ.get("PRODGEN_ENVIRONMENT") == "production"
    handler = logging.StreamHandler(sys.stderr)
    handler.name = _HANDLER
    handler.setFormatter(formatter(process, None if production else sys.stderr))
    root = logging.getLogger()
    root.handlers = [*(other for other in root.handlers if other.name != _HANDLER), handler]
    root.setLevel(level)
    redirect_warnings()
    # httpx logs the whole address of each request, and the address of a webhook may hold a secret.
    logging.getLogger("httpx").setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(process),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def formatter(process: str, terminal: TextIO | None = None) -> logging.Formatter:
    """Return the formatter for `configure`. It writes readable lines if ``terminal`` is a TTY, else JSON."""
    render: list[Processor]
    if terminal and terminal.isatty():
        # The default traceback of structlog prints local variables, which may hold keys.
        plain, colours = structlog.dev.plain_traceback, not os.environ.get("NO_COLOR")
        render = [
            structlog.dev.ConsoleRenderer(
                colors=colours, event_key="message", timestamp_key="time", exception_formatter=plain
            )
        ]
    else:
        render = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(process),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.EventRenamer("message"),
            *render,
        ],
    )


def bind(**ids: str | None) -> None:
    """Add ids to all later log lines of the current thread or asyncio task; ignore ids that are None.

    The names in use are ``request_id``, ``tenant``, ``job``, ``lease`` and ``run``. A new thread starts
    without ids; run the thread in `contextvars.copy_context` to keep them.
    """
    structlog.contextvars.bind_contextvars(**_given(ids))


@contextmanager
def bound(**ids: str | None) -> Iterator[None]:
    """Add ids to log lines as `bind` does, but only until the end of the block."""
    with structlog.contextvars.bound_contextvars(**_given(ids)):
        yield


def _given(ids: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in ids.items() if value is not None}


def _shared(process: str) -> list[Processor]:
    """Return the processors that add the same fields to the records of structlog and of `logging`."""

    request_id = os.environ.get("PRODGEN_REQUEST_ID")

    def add_process(logger: Any, method: str, event: EventDict) -> EventDict:
        event["process"] = process
        if request_id:
            event.setdefault("request_id", request_id)
        return event

    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.ExtraAdder(),
        add_process,
    ]
