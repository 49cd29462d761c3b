"""A model measured against a data set, by a run like any other."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Response

from api_gateway.auth import Trainer
from api_gateway.routes.training import Key, queue
from api_gateway.services import Services, services
from api_gateway.training import RunDetails
from prodgen.runs.record import EvaluationSpec

router = APIRouter(prefix="/v1/evaluation-jobs", tags=["training"])


@router.post("", status_code=202, summary="Queue the evaluation of a model")
def send(
    spec: EvaluationSpec,
    caller: Trainer,
    here: Annotated[Services, Depends(services)],
    response: Response,
    later: BackgroundTasks,
    idempotency_key: Key = None,
) -> RunDetails:
    """Measure one of your models, or a shared one, against a data set with a test split.

    It is followed, paused and cancelled as a training job is; its figures are the run's `metrics`, its card
    and pictures the run's samples.
    """
    return queue(spec, caller.tenant, here, response, later, idempotency_key)
