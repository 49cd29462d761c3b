"""The gateway, from Python."""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx

from prodgen.errors import NotFound, ProdgenError, Unavailable
from prodgen.spec.manifest import ManifestLine, check_same

PAGE = 1000
DIGESTS = 10_000
"""Of uploads, that one request asks for."""
DOWNLOADS = 8
PATIENCE = 16
"""Times that what broke off is tried again, about a minute in all: a gateway restarts in less."""
TERMINAL = ("succeeded", "partial", "failed", "cancelled")

_PASSING = (502, 503, 504)


class Client:
    """Speaks to one gateway with one key. Raises ProdgenError with the gateway's own sentence.

    A gateway that has answered before is given time to come back; one that never has is not. Every request
    may be carried out twice without harm.
    """

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.Client(
            base_url=url.rstrip("/"),
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(30.0, connect=5.0),
        )
        self._links = httpx.Client(timeout=30.0)  # the key is not for whoever serves the links
        self._met = False
        self.url = url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._links.close()

    def upload(self, path: Path) -> str:
        """Send an order's file -> its digest, for the ``upload`` of a job."""

        def send() -> httpx.Response:
            with path.open("rb") as file:
                return self._http.post("/v1/uploads", content=file)

        digest: str = self._answer(send)["id"]
        return digest

    def send(self, data: bytes) -> str:
        """`upload` of what is no file of its own."""
        digest: str = self._answer(lambda: self._http.post("/v1/uploads", content=data))["id"]
        return digest

    def missing(self, digests: Iterable[str]) -> set[str]:
        """Those of which no upload is there yet."""
        left, found = iter(sorted(set(digests))), set[str]()
        while batch := list(islice(left, DIGESTS)):
            found.update(self._send("POST", "/v1/uploads/missing", json={"ids": batch})["missing"])
        return found

    def create_dataset(self, name: str, listing: str, summary: dict[str, Any]) -> dict[str, Any]:
        """Make a version of the files that the upload ``listing`` lists, all of which must be there."""
        body = {"listing": listing, "summary": summary}
        return self._send("POST", f"/v1/datasets/{name}", json=body, timeout=120.0)

    def datasets(self) -> Iterator[dict[str, Any]]:
        """Every version of every data set, newest first."""
        return self._pages("/v1/datasets", 100)

    def dataset(self, ref: str) -> dict[str, Any]:
        """One data set, with what it holds."""
        return self._send("GET", f"/v1/datasets/{ref}")

    def delete_dataset(self, ref: str) -> dict[str, Any]:
        """Remove a version, or all of a name, for good -> what is ``removed``, and its ``bytes``."""
        return self._send("DELETE", f"/v1/datasets/{quote(ref, safe='@')}", timeout=600.0)

    def submit(self, spec: dict[str, Any], idempotency_key: str | None = None) -> dict[str, Any]:
        """Order a job; the same key never orders twice."""
        return self._order("/v1/jobs", spec, idempotency_key)

    def job(self, job: str) -> dict[str, Any]:
        """Where the job stands."""
        return self._send("GET", f"/v1/jobs/{job}")

    def jobs(self) -> Iterator[dict[str, Any]]:
        """Every job, newest first."""
        return self._pages("/v1/jobs", 100)

    def cancel(self, job: str) -> dict[str, Any]:
        """Stop the job; what is made stays."""
        return self._send("POST", f"/v1/jobs/{job}/cancel")

    def models(self) -> Iterator[dict[str, Any]]:
        """Every model version that may be ordered."""
        return self._pages("/v1/models", 100)

    def model(self, ref: str) -> dict[str, Any]:
        """One model, with what it can be asked for."""
        return self._send("GET", f"/v1/models/{ref}")

    def promote(self, name: str, version: str, alias: str, force: bool = False) -> dict[str, Any]:
        """Let ``name@alias`` mean a version, or what another alias means -> the move."""
        body = {"version": version, "force": force}
        return self._send("POST", f"/v1/models/{name}/aliases/{alias}", json=body)

    def rollback(self, name: str, alias: str) -> dict[str, Any]:
        """Let ``name@alias`` mean the version before the one it means now -> the move."""
        body = {"version": self.model(f"{name}@{alias}")["version"]}
        return self._send("POST", f"/v1/models/{name}/aliases/{alias}/rollback", json=body)

    def train(self, spec: dict[str, Any], idempotency_key: str | None = None) -> dict[str, Any]:
        """Queue a training run; the same key never queues it twice."""
        return self._order("/v1/training-jobs", spec, idempotency_key)

    def prepare(self, spec: dict[str, Any], idempotency_key: str | None = None) -> dict[str, Any]:
        """Queue the preparation of photographs; what is said of `run` holds for it too."""
        return self._order("/v1/preparation-jobs", spec, idempotency_key)

    def evaluate(self, spec: dict[str, Any], idempotency_key: str | None = None) -> dict[str, Any]:
        """Queue the evaluation of a model; what is said of `run` holds for it too."""
        return self._order("/v1/evaluation-jobs", spec, idempotency_key)

    def run(self, run: str) -> dict[str, Any]:
        """Where a training run stands."""
        return self._send("GET", f"/v1/training-jobs/{run}")

    def runs(self) -> Iterator[dict[str, Any]]:
        """Every training run, newest first."""
        return self._pages("/v1/training-jobs", 100)

    def wish(self, run: str, wish: str) -> dict[str, Any]:
        """Ask a training run to ``cancel``, ``pause`` or ``resume``."""
        return self._send("POST", f"/v1/training-jobs/{run}/{wish}")

    def samples(self, run: str) -> list[dict[str, Any]]:
        """The pictures of a training run so far: ``name``, ``step`` and a signed ``url``."""
        return list(self._pages(f"/v1/training-jobs/{run}/samples", 100))

    def fetch_sample(self, sample: dict[str, Any], path: Path) -> None:
        """Download one of `samples`."""
        path.write_bytes(self._patiently(lambda: self._links.get(sample["url"])).raise_for_status().content)

    def logs(self, run: str) -> str:
        """What a training run wrote."""
        answer = self._patiently(lambda: self._http.get(f"/v1/training-jobs/{run}/logs"))
        if not answer.is_success:
            raise _refusal(answer)
        return answer.text

    def images(self, job: str) -> Iterator[dict[str, Any]]:
        """The job's images so far, in order: manifest lines with a signed ``url``."""
        return self._pages(f"/v1/jobs/{job}/images", PAGE)

    def watch(self, job: str) -> Iterator[dict[str, Any]]:
        """What happens to the job, until it has ended; a broken connection is taken up where it broke."""
        return self._watch(f"/v1/jobs/{job}/events")

    def watch_run(self, run: str) -> Iterator[dict[str, Any]]:
        """`watch` of a training run."""
        return self._watch(f"/v1/training-jobs/{run}/events")

    def _watch(self, path: str) -> Iterator[dict[str, Any]]:
        last, failures = "0", 0
        while True:
            try:
                for event, data in self._events(path, last):
                    last, failures = event or last, 0
                    yield data
                    if data["state"] in TERMINAL:
                        return
            except (httpx.TransportError, Unavailable) as error:
                if failures == PATIENCE:
                    raise Unavailable(f"the gateway at {self.url} does not answer: {error}") from None
                _pause(failures)
                failures += 1

    def download(self, job: str, folder: Path) -> Iterator[dict[str, Any]]:
        """Fetch every image into ``folder`` and write manifest.jsonl; gives each image as it is there.

        Raises ProdgenError if the bytes of an image are not those that were recorded, or if the folder holds
        another request's images.
        """
        check_same(folder, map(_line, self.images(job)))
        with (folder / "manifest.jsonl").open("w") as manifest, ThreadPoolExecutor(DOWNLOADS) as pool:
            rows = self.images(job)
            while batch := list(islice(rows, PAGE)):
                for image in pool.map(lambda row: self._fetch(row, folder), batch):
                    manifest.write(json.dumps({k: v for k, v in image.items() if k != "url"}) + "\n")
                    yield image

    def _fetch(self, image: dict[str, Any], folder: Path) -> dict[str, Any]:
        path = folder / Path(image["file"]).name
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == image["sha256"]:
            return image
        try:
            answer = self._patiently(lambda: self._links.get(image["url"]))
        except httpx.HTTPError as error:
            raise Unavailable(f"{image['file']} could not be downloaded: {error}") from None
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFound(f"{image['file']} is no longer in the store")
        if not answer.is_success:
            raise Unavailable(f"{image['file']} could not be downloaded: the store said {answer.status_code}")
        if hashlib.sha256(answer.content).hexdigest() != image["sha256"]:
            raise ProdgenError(f"{image['file']} came with other bytes than were recorded")
        path.write_bytes(answer.content)
        return image

    def _pages(self, path: str, limit: int) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            page = self._send("GET", path, params={"limit": limit} | ({"after": cursor} if cursor else {}))
            yield from page["data"]
            cursor = page.get("next")
            if not cursor:
                return

    def _events(self, path: str, after: str) -> Iterator[tuple[str | None, dict[str, Any]]]:
        """Server-sent events as (id, data)."""
        headers = {"Last-Event-ID": after}
        timeout = httpx.Timeout(60.0, connect=5.0)
        with self._http.stream("GET", path, headers=headers, timeout=timeout) as answer:
            if not answer.is_success:
                answer.read()
                raise _refusal(answer)
            event = None
            for line in answer.iter_lines():
                field, _, value = line.partition(":")
                if field == "id":
                    event = value.strip()
                elif field == "data":
                    yield event, json.loads(value)

    def _order(self, path: str, spec: dict[str, Any], idempotency_key: str | None) -> dict[str, Any]:
        headers = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
        return self._send("POST", path, json=spec, headers=headers)

    def _send(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        return self._answer(lambda: self._http.request(method, path, **options))

    def _answer(self, request: Callable[[], httpx.Response]) -> dict[str, Any]:
        try:
            answer = self._patiently(request)
        except httpx.HTTPError as error:
            raise Unavailable(f"the gateway at {self.url} does not answer: {error}") from None
        if not answer.is_success:
            raise _refusal(answer)
        self._met = True
        body: dict[str, Any] = answer.json()
        return body

    def _patiently(self, request: Callable[[], httpx.Response]) -> httpx.Response:
        """The answer, once it is no passing failure; what failed last if patience ends."""
        for failures in range(PATIENCE if self._met else 0):
            with suppress(httpx.TransportError):
                answer = request()
                if answer.status_code not in _PASSING:
                    return answer
            _pause(failures)
        return request()


def _line(image: dict[str, Any]) -> ManifestLine:
    """The manifest line of an image, whatever else the gateway says of it."""
    return ManifestLine.model_validate({k: v for k, v in image.items() if k in ManifestLine.model_fields})


def _pause(failures: int) -> None:
    time.sleep(min(5.0, 0.2 * 2**failures))


def _refusal(answer: httpx.Response) -> ProdgenError:
    try:
        error = answer.json()["error"]
        sentence, param = error["message"], error.get("param")
    except (ValueError, KeyError, TypeError):
        sentence, param = f"the gateway answered {answer.status_code}", None
    kind = Unavailable if answer.status_code >= 500 else ProdgenError
    return kind(sentence, param=param)
