"""The errors that people see, each one clear sentence."""


class ProdgenError(Exception):
    """The request cannot be carried out; ``str(error)`` is the sentence that the user reads.

    ``code`` names the kind for programs, ``param`` the input at fault (``attributes.category``, ``row 7``).
    ``details`` are the sentences of all faults where there are several, such as the faulty rows of an order.
    """

    code = "invalid_request"

    def __init__(self, message: str, *, param: str | None = None, details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.param, self.details = param, details


class NotFound(ProdgenError):
    """The named thing does not exist, or belongs to another tenant."""

    code = "not_found"


class Conflict(ProdgenError):
    """The request contradicts something that is already recorded."""

    code = "conflict"


class Interrupted(ProdgenError):
    """The work was stopped from outside; a new try may complete it."""

    code = "interrupted"


class Unavailable(ProdgenError):
    """A service that prodgen depends on does not answer; the same request may succeed later."""

    code = "unavailable"


class CannotWrite(ProdgenError):
    """A file cannot be written: the disk is full or read-only, or the folder is gone or another user's."""

    code = "cannot_write"
