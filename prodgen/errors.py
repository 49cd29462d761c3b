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

    @property
    def for_clients(self) -> str:
        """The sentence that clients of a service read. It names no path or address of the service."""
        return str(self)


class NotFound(ProdgenError):
    """The named thing does not exist, or belongs to another tenant."""

    code = "not_found"


class Conflict(ProdgenError):
    """The request contradicts something that is already recorded."""

    code = "conflict"


class TooManyRequests(ProdgenError):
    """A limit of the tenant is reached: its orders, images, requests or streams; try again later.

    ``retry_after`` is in seconds, or None if the time is not known.
    """

    code = "too_many_requests"

    def __init__(self, message: str, *, param: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, param=param)
        self.retry_after = retry_after


class Forbidden(ProdgenError):
    """The tenant may not do this; waiting does not help."""

    code = "forbidden"


class Unsupported(ProdgenError):
    """This machine, or this version of prodgen, lacks what the work needs; another may have it."""


class Interrupted(ProdgenError):
    """The work was stopped by something outside; it may succeed if it is tried again."""

    code = "interrupted"


class Unavailable(ProdgenError):
    """A service that prodgen depends on does not answer; the same request may succeed later."""

    code = "unavailable"


class StoreUnavailable(Unavailable):
    """The object store fails. The message may name its path or address; clients read a fixed sentence."""

    for_clients = "the object store cannot be used now; try again shortly"


class NoRoom(Unavailable):
    """A disk of the service is full. The message may name its path; clients read a fixed sentence."""

    for_clients = "a disk of the service has no room for this now; try again later"


class CannotWrite(ProdgenError):
    """A file cannot be written: the disk is full or read-only, or the folder is gone or not the user's."""

    code = "cannot_write"
