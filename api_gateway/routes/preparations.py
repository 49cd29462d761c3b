"""Photographs made into a data set, by a run like any other."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Response

from api_gateway.auth import Trainer
from api_gateway.routes.training import Key, queue
from api_gateway.services import Services, services
from api_gateway.training import RunDetails
from prodgen.runs.record import PreparationSpec

router = APIRouter(prefix="/v1/preparation-jobs", tags=["training"])


@router.post("", status_code=202, summary="Queue the preparation of photographs")
def send(
    spec: PreparationSpec,
    caller: Trainer,
    here: Annotated[Services, Depends(services)],
    response: Response,
    later: BackgroundTasks,
    idempotency_key: Key = None,
) -> RunDetails:
    """Leave out the bad photographs of a data set, cut the product out of each other, name its colours.

    What comes of it is a data set to train on. It is followed, paused and cancelled as a training job is; its
    log names every picture that is not in the data set, and why.
    """
    return queue(spec, caller.tenant, here, response, later, idempotency_key)
