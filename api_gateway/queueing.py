"""How a request becomes a run."""

import uuid
from typing import Annotated

from fastapi import BackgroundTasks, Depends, Header, Response

from api_gateway.auth import Trainer
from api_gateway.services import Services, services
from api_gateway.training import RunDetails, details_of
from prodgen.runs.record import Spec
from prodgen.runs.submission import submit_run


class Queueing:
    """A caller who may queue runs, and the answer to them."""

    def __init__(
        self,
        caller: Trainer,
        here: Annotated[Services, Depends(services)],
        response: Response,
        later: BackgroundTasks,
        idempotency_key: Annotated[
            str | None,
            Header(
                min_length=1,
                max_length=200,
                description="The same key with the same request is the same run.",
            ),
        ] = None,
    ) -> None:
        self.tenant, self.here, self.response, self.later = caller.tenant, here, response, later
        self.key = idempotency_key or uuid.uuid4().hex

    def __call__(self, spec: Spec) -> RunDetails:
        """Queue what is asked for, and tell the workers once it is answered."""
        record, created = submit_run(self.here.store, self.here.ledger, self.tenant, spec, self.key)
        self.response.headers["Location"] = f"/v1/training-jobs/{record.id}"
        if not created:
            self.response.headers["Idempotent-Replayed"] = "true"
        self.later.add_task(self.here.ring, "training", 1)
        return details_of(self.here, record)
