"""Queue runs: trainings, preparations of photographs, and evaluations of models."""

from typing import Annotated

from asgi_correlation_id import correlation_id
from fastapi import BackgroundTasks, Depends, Request, Response

from api_gateway.auth import Trainer
from api_gateway.deployment import DeploymentDep
from api_gateway.json_body import Router
from api_gateway.parameters import IdempotencyKey
from api_gateway.run_schemas import RunDetails, details_of
from prodgen.runs.record import EvaluationSpec, PreparationSpec, Spec, TrainingSpec
from prodgen.runs.submission import submit_run

router = Router(prefix="/v1", tags=["training"])


class RunQueue:
    """Queues the run of a request, and fills in the headers of the answer."""

    def __init__(
        self,
        caller: Trainer,
        deployment: DeploymentDep,
        request: Request,
        response: Response,
        later: BackgroundTasks,
        idempotency_key: IdempotencyKey,
    ) -> None:
        self._tenant, self._deployment, self._key = caller.tenant, deployment, idempotency_key
        self._request, self._response, self._later = request, response, later

    def add(self, spec: Spec) -> RunDetails:
        """Queue a run, and ring the training workers once the request is answered."""
        deployment = self._deployment
        record, created = submit_run(
            deployment.store,
            deployment.ledger,
            self._tenant,
            spec,
            self._key,
            request_id=correlation_id.get(),
        )
        self._request.state.run = record.id
        self._response.headers["Location"] = f"/v1/training-jobs/{record.id}"
        if not created:
            self._response.headers["Idempotent-Replayed"] = "true"
        self._later.add_task(deployment.ring, "training", 1)
        return details_of(deployment, record)


RunQueueDep = Annotated[RunQueue, Depends()]


@router.post("/training-jobs", status_code=202, summary="Queue a training run")
def train(spec: TrainingSpec, queue: RunQueueDep) -> RunDetails:
    """Queue a training run. A run that could not succeed is refused, with the reason, as far as the recipe,
    the data and the model show it now."""
    return queue.add(spec)


@router.post("/preparation-jobs", status_code=202, summary="Queue the preparation of photographs")
def prepare(spec: PreparationSpec, queue: RunQueueDep) -> RunDetails:
    """Queue a run that leaves out the bad photographs of a data set, cuts the product out of each of the
    others, and names its colours. Its result is a data set to train on.

    The routes of training runs also show, follow, pause and cancel it. Two of its samples, `left-out.jsonl`
    and `set-aside.jsonl`, name every picture that it does not use, and the reason.
    """
    return queue.add(spec)


@router.post("/evaluation-jobs", status_code=202, summary="Queue the evaluation of a model")
def evaluate(spec: EvaluationSpec, queue: RunQueueDep) -> RunDetails:
    """Queue a run that measures one of your models, or a shared one, on a data set with a test split.

    The routes of training runs also show, follow, pause and cancel it. Its scores are the run's `metrics`;
    its card and pictures are the run's samples.
    """
    return queue.add(spec)
