"""The errors that users see. The message of each error is one clear sentence."""

from __future__ import annotations


class ProdgenError(Exception):
    """The request cannot be carried out; ``str(error)`` is the sentence that the user reads.

    ``code`` names the kind of error for programs; ``param`` is the faulty input (``attributes.category``,
    ``row 7``). If there are several faults, such as faulty rows of an order, ``details`` lists the first
    faults, and ``more`` is the number of faults that are not listed.
    """

    code = "invalid_request"

    def __init__(
        self, message: str, *, param: str | None = None, details: tuple[ProdgenError, ...] = (), more: int = 0
    ) -> None:
        super().__init__(message)
        self.param, self.details, self.more = param, details, more


class NotFound(ProdgenError):
    """The named thing does not exist, or belongs to another tenant."""

    code = "not_found"


class Conflict(ProdgenError):
    """The request contradicts something that is already recorded."""

    code = "conflict"


class TooManyRequests(ProdgenError):
    """The tenant has as many orders waiting as it may; the same request may succeed later."""

    code = "too_many_requests"


class Interrupted(ProdgenError):
    """The work was stopped by something outside; it may succeed if it is tried again."""

    code = "interrupted"


class Unavailable(ProdgenError):
    """A service that prodgen depends on does not answer; the same request may succeed later."""

    code = "unavailable"


class CannotWrite(ProdgenError):
    """A file cannot be written: the disk is full or read-only, or the folder is gone or not the user's."""

    code = "cannot_write"
