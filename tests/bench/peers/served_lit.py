"""LitServe: dynamic batches, one worker a core."""

import os
from typing import Any

import litserve
from fastapi import Response
from served import BATCH, PORT, Generator


class Images(litserve.LitAPI):
    """Makes one image for each request."""

    def setup(self, device: str) -> None:
        """Load the generator."""
        self.generator = Generator()

    def decode_request(self, request: dict[str, Any]) -> int:
        """Return the index of an image."""
        return int(request["index"])

    def batch(self, inputs: list[int]) -> list[int]:
        """Return a batch of indices."""
        return inputs

    def predict(self, indices: list[int]) -> list[bytes]:
        """Return a PNG file for each index."""
        return self.generator(indices)

    def unbatch(self, output: list[bytes]) -> list[bytes]:
        """Return the files one by one."""
        return output

    def encode_response(self, output: bytes) -> Response:
        """Return the answer with the file."""
        return Response(output, media_type="image/png")


if __name__ == "__main__":
    api = Images(max_batch_size=BATCH, batch_timeout=0.01)
    workers = int(os.environ["SERVED_WORKERS"])
    litserve.LitServer(api, accelerator="cpu", workers_per_device=workers).run(
        host="127.0.0.1", port=PORT, generate_client_file=False, log_level="warning"
    )
