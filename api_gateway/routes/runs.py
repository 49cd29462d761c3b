"""What else is queued as training runs are: the preparation of photographs, the evaluation of models."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api_gateway.queueing import Queueing
from api_gateway.training import RunDetails
from prodgen.runs.record import EvaluationSpec, PreparationSpec

router = APIRouter(prefix="/v1", tags=["training"])


@router.post("/preparation-jobs", status_code=202, summary="Queue the preparation of photographs")
def prepare(spec: PreparationSpec, queue: Annotated[Queueing, Depends()]) -> RunDetails:
    """Leave out the bad photographs of a data set, cut the product out of each other, name its colours.

    What comes of it is a data set to train on. It is followed, paused and cancelled as a training job is; two
    of its samples, `left-out.jsonl` and `set-aside.jsonl`, name every picture that is not used, and why.
    """
    return queue(spec)


@router.post("/evaluation-jobs", status_code=202, summary="Queue the evaluation of a model")
def evaluate(spec: EvaluationSpec, queue: Annotated[Queueing, Depends()]) -> RunDetails:
    """Measure one of your models, or a shared one, against a data set with a test split.

    It is followed, paused and cancelled as a training job is; its figures are the run's `metrics`, its card
    and pictures the run's samples.
    """
    return queue(spec)
