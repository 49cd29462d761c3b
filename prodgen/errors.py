"""The errors that people see: one clear sentence each."""


class ProdgenError(Exception):
    """What was asked cannot be done; ``str(error)`` is the sentence that the user reads.

    ``code`` names the kind for programs, ``param`` the input at fault (``attributes.category``, ``row 7``).
    """

    code = "invalid_request"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class NotFound(ProdgenError):
    """The named thing does not exist, or belongs to somebody else."""

    code = "not_found"


class Conflict(ProdgenError):
    """The request contradicts something already recorded."""

    code = "conflict"


class Interrupted(ProdgenError):
    """Something outside ended the work; begun again, it may come to its end."""

    code = "interrupted"


class Unavailable(ProdgenError):
    """A service that prodgen depends on does not answer; the same request may succeed later."""

    code = "unavailable"
