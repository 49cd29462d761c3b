"""BentoML: a service with adaptive batching, one worker a core, as its guides to both advise."""

import os
from base64 import b64encode

import bentoml
from served import BATCH, Generator


@bentoml.service(
    workers=int(os.environ["SERVED_WORKERS"]),
    traffic={"timeout": 60, "concurrency": BATCH},
    metrics={"enabled": False},
)
class Images:
    """Makes one image for each request."""

    def __init__(self) -> None:
        self.generator = Generator()

    @bentoml.api(batchable=True, batch_dim=0, max_batch_size=BATCH, max_latency_ms=60_000)
    def image(self, indices: list[int]) -> list[str]:
        """Return a PNG file for each index, in base64: the JSON of BentoML holds no bytes."""
        return [b64encode(data).decode() for data in self.generator(indices)]
