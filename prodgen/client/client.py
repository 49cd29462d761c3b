"""The client of the gateway's HTTP API: a method for each request."""

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, quote, urlencode

from prodgen.client.download import PAGE, download, download_archive, download_sheets
from prodgen.client.model_download import download_model
from prodgen.client.parquet import download_parquet
from prodgen.client.photographs import Progress, read_photo_order, send_photos
from prodgen.client.shards import download_shards
from prodgen.client.transport import TERMINAL, Transport
from prodgen.errors import Conflict
from prodgen.files import replacing
from prodgen.spec.finish import extension

Record = dict[str, Any]
"""A JSON object as the gateway sends it."""

_LIST = 100
_ADDRESSES = 1000
"""Largest number of addresses in one request of `Client.render_urls`."""
_DIGESTS = 10_000
"""Largest number of digests in one request of `Client.missing`."""


class Client:
    """A client of the gateway at ``url``, with the API key ``key``. Use it in a ``with`` block.

    Every method raises ProdgenError with the gateway's error message. Methods that queue a job or a run take
    an ``idempotency_key``: the gateway queues one job or run per key. By default each call has a random key,
    so that the client can safely send a failed request again.
    """

    def __init__(self, url: str, key: str) -> None:
        self._transport = Transport(url, key)
        self._json, self._pages = self._transport.json, self._transport.pages
        self.url = url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()

    # Jobs

    def submit(self, spec: Record, idempotency_key: str | None = None) -> Record:
        """Send an order and return the job that makes its images."""
        return self._queue("/v1/jobs", spec, idempotency_key)

    def quote(self, spec: Record) -> Record:
        """Check an order without placing it. Returns ``total`` (images), ``seconds`` and ``in_time``."""
        return self._json("POST", "/v1/quotes", json=spec)

    def job(self, job: str) -> Record:
        """Return a job: its order, state and counts of images."""
        return self._json("GET", f"/v1/jobs/{job}")

    def jobs(self, states: Iterable[str] = ()) -> Iterator[Record]:
        """Yield every job that is in one of ``states`` (default: any state), newest first."""
        return self._pages("/v1/jobs", _LIST, state=[*states])

    def watch(self, job: str) -> Iterator[Record]:
        """Yield the job's events until the job has ended. Connects again if the connection breaks."""
        return self._transport.events(f"/v1/jobs/{job}/events")

    def cancel(self, job: str) -> Record:
        """Stop a job for good and return it. Its finished images are kept."""
        return self._json("POST", f"/v1/jobs/{job}/cancel")

    def pause(self, job: str) -> Record:
        """Pause a job until `resume`: workers get no more of its images. Returns the job."""
        return self._json("POST", f"/v1/jobs/{job}/pause")

    def resume(self, job: str) -> Record:
        """Continue a paused job and return it."""
        return self._json("POST", f"/v1/jobs/{job}/resume")

    def failures(self, job: str) -> Iterator[Record]:
        """Yield the failed images of a job, sorted by index, each with its ``error``."""
        return self._pages(f"/v1/jobs/{job}/failures", PAGE)

    def retry(self, job: str) -> Record:
        """Make the failed images of an ended job again, and return the job. Its finished images stay."""
        return self._json("POST", f"/v1/jobs/{job}/retry")

    def keep(self, job: str, keep: str) -> Record:
        """Set how long a job is kept after its end (``30d``, ``12h``, ``forever``), and return the job."""
        return self._json("POST", f"/v1/jobs/{job}/keep", json={"keep": keep})

    def reject(self, job: str, images: Sequence[int], idempotency_key: str | None = None) -> Record:
        """Order new images in place of rejected ones, named by index (next attempt); return the new job."""
        return self._queue(f"/v1/jobs/{job}/reject", {"images": [*images]}, idempotency_key)

    def order_again(self, job: str, model: str, idempotency_key: str | None = None) -> Record:
        """Place a job's order again with another version (``NAME@ALIAS``, ``NAME@VERSION``).

        Returns the new job.
        """
        return self._queue(f"/v1/jobs/{job}/again", {"model": model}, idempotency_key)

    def diff(self, job: str, other: str) -> Iterator[Record]:
        """Yield pairs of images, sorted by index: ``old`` of ``job``, and ``new`` of ``other``.

        ``other`` is the same order by another version. Each pair says how much the image has changed
        (``change``, ``colour``), and the ``choice``.
        """
        return self._pages(f"/v1/jobs/{job}/diff/{other}", _LIST)

    def choose(self, job: str, other: str, images: Sequence[int], choice: str | None) -> Record:
        """Set the choice (``new``, ``old``, or None: undecided) of pairs, by index.

        Returns the number of pairs with each choice.
        """
        body = {"images": [*images], "choice": choice}
        return self._json("POST", f"/v1/jobs/{job}/diff/{other}/choices", json=body)

    def download_choices(self, job: str, other: str, path: Path) -> None:
        """Download a CSV of the chosen images to ``path``. An undecided pair has the old image."""
        response = self._transport.request("GET", f"/v1/jobs/{job}/diff/{other}/choices")
        with replacing(path) as partial:
            partial.write_bytes(response.content)

    def set_priority(self, job: str, priority: str) -> Record:
        """Move a job to the queue ``bulk`` or ``interactive`` (at most 64 images), and return the job."""
        return self._json("POST", f"/v1/jobs/{job}/priority", json={"priority": priority})

    def delete_job(self, job: str, for_good: bool = False) -> Record:
        """Delete an ended job with its images. Returns the time, and until when the job can be restored.

        With ``for_good`` the job cannot be restored, and its images are deleted within minutes.
        """
        return self._json("DELETE", f"/v1/jobs/{job}", params={"for_good": for_good})

    def delete_image(self, job: str, index: int, newest: bool = False) -> Record:
        """Delete an image of an ended job for good, and return its manifest line.

        The image cannot be restored. Raises Conflict if the job packs its images into tars. ``newest``:
        delete what replaces a rejected image, too.
        """
        return self._json("DELETE", f"/v1/jobs/{job}/images/{index}", params={"newest": newest})

    def trash(self) -> Iterator[Record]:
        """Yield the deleted jobs that can be restored, sorted by id."""
        return self._pages("/v1/trash", _LIST)

    def restore_job(self, job: str) -> Record:
        """Restore a job that was deleted in the last seven days, and return it."""
        return self._json("POST", f"/v1/jobs/{job}/restore")

    def images(
        self,
        job: str,
        page: int = PAGE,
        language: str | None = None,
        attributes: Record | None = None,
        untrusted: bool = False,
        newest: bool = False,
        deleted: bool = False,
    ) -> Iterator[Record]:
        """Yield the manifest line of each finished image, sorted by index, with a signed ``url``.

        One request fetches ``page`` images. With ``language`` (en or zh), each image has a ``description``:
        its ``title``, its ``alt`` text and a file ``name``. ``attributes``: only images with these values.
        ``untrusted``: only pictures that a person should look at. ``newest``: yield the image that replaces a
        rejected image, not the rejected image. ``deleted``: also yield the lines of deleted images; their
        ``url`` is None.
        """
        filters: Record = {"language": language} if language else {}
        filters["attribute"] = [f"{name}={value}" for name, value in (attributes or {}).items()]
        switches = {"untrusted": untrusted, "newest": newest, "deleted": deleted}
        filters |= {name: True for name, wanted in switches.items() if wanted}
        return self._pages(f"/v1/jobs/{job}/images", page, **filters)

    def download(
        self, job: str, folder: Path, by_sku: bool = False, newest: bool = False
    ) -> Iterator[Record]:
        """Download the job's finished images and manifests to ``folder``; yield each downloaded image.

        With ``by_sku``, the images of each SKU have a folder of their own. ``newest``: as for `images`.
        Without ``newest``, the images of an ended job are checked against the job's Merkle root.
        """
        found = self.job(job)
        root, deleted = None if newest else found.get("root"), bool(found.get("deleted"))
        images = partial(self.images, job, newest=newest, deleted=deleted)
        return download(self._transport, images, folder, by_sku, root)

    def download_sheets(self, job: str, folder: Path) -> Iterator[Record]:
        """Download an ended job's sprite sheets, atlases and manifest to ``folder``; yield each image."""
        return download_sheets(self._transport, job, lambda: self.images(job), folder)

    def download_shards(self, job: str, folder: Path) -> Iterator[int]:
        """Download the shards (tars) of an ended job to ``folder``; yield the number of images so far.

        A call after an interrupted call continues the download. Each image is checked against its digest, and
        all images against the job's Merkle root.
        """
        return download_shards(self._transport, job, folder, self.job(job).get("root"))

    def download_parquet(self, job: str, folder: Path, newest: bool = False) -> Iterator[int]:
        """Write an ended job's images and attributes to Parquet files; yield the number of images so far.

        A call after an interrupted call keeps the complete files. Raises Conflict if a retry or a rejection
        changed the images between the calls. ``newest``: as for `images`.
        """
        if self.job(job)["state"] not in TERMINAL:
            raise Conflict(f"job {job} has not ended; its Parquet files are written when it has")
        return download_parquet(self._transport, job, self.images(job, newest=newest), folder)

    def download_archive(self, job: str, path: Path, newest: bool = False) -> Iterator[tuple[int, int]]:
        """Download an ended job's images and manifest as one tar to ``path``.

        Yields the number of bytes so far, and of all bytes. A call after an interrupted call continues the
        download. ``newest``: as for `images`. Raises Conflict if an image is replaced during the download.
        """
        return download_archive(self._transport, job, path, newest)

    def proof(self, job: str, index: int) -> Record:
        """Return the proof (RFC 9162, `InclusionProof`) that an image belongs to an ended job."""
        return self._json("GET", f"/v1/jobs/{job}/images/{index}/proof")

    def usage(self, first: date, last: date) -> list[Record]:
        """Return the delivered images and bytes for each day from ``first`` to ``last`` and each model."""
        params = {"from": str(first), "to": str(last)}
        rows: list[Record] = self._json("GET", "/v1/usage", params=params)["data"]
        return rows

    def read_prompt(self, model: str, prompt: str) -> Record:
        """Return the reading of a prompt by a model: attributes, count, background, and words not read."""
        return self._json("POST", "/v1/prompts", json={"model": model, "prompt": prompt})

    # Images by their addresses

    def render(
        self, model: str, seed: int, index: int, format: str = "png", **parameters: str | float
    ) -> bytes:
        """Return the file of the image at ``index`` of an order with ``seed``.

        The service makes the image if the store does not have it. ``parameters``: attributes of the model,
        ``size``, ``background`` and ``truncation``; for a mix, also ``mix="SEED/INDEX"`` (the second image)
        and ``share`` or ``steps``.
        """
        path = _address(model, seed, index, format, parameters)
        return self._transport.request("GET", path, follow_redirects=True, timeout=90.0).content

    def redraw(
        self, model: str, picture: Path, *, seed: int = 0, format: str = "png", **parameters: str | float
    ) -> tuple[bytes, Record]:
        """Upload a picture and let the model redraw it. Returns the file of the new image, and a record.

        The record has the ``attributes`` that the model read from the picture, and the ``distance``.
        ``parameters``: attributes to change, ``strength`` from 0 to 1, ``size``, ``background``.
        """
        path = _address(model, seed, 0, format, {"picture": self.upload(picture), **parameters})
        answer = self._transport.request("GET", path, follow_redirects=True, timeout=90.0)
        read = dict(parse_qsl(answer.headers["Prodgen-Attributes"]))
        return answer.content, {"attributes": read, "distance": float(answer.headers["Prodgen-Distance"])}

    def render_url(
        self,
        model: str,
        seed: int,
        index: int,
        format: str = "png",
        seconds: int | None = None,
        **parameters: str | float,
    ) -> str:
        """Return the signed URL of an image. It needs no key, and works for ``seconds`` (None: for ever)."""
        return self.render_urls([_address(model, seed, index, format, parameters)], seconds)[0]

    def render_urls(
        self, addresses: Iterable[str], seconds: int | None = None, *, begin: bool = False
    ) -> list[str]:
        """Return a signed URL for each address, such as ``/v1/render/clothing/7/0.webp?colour=red``.

        A URL needs no key, and works for ``seconds`` (None: for ever). With ``begin``, workers make new
        images now, at most 64, before they are asked for.
        """
        options = {"seconds": seconds, **({"begin": True} if begin else {})}
        left, found = iter(addresses), list[str]()
        while batch := list(islice(left, _ADDRESSES)):
            found += self._json("POST", "/v1/render", json={"addresses": batch, **options})["data"]
        return found

    # Webhooks

    def webhook_secret(self, rotate: bool = False) -> str:
        """Return the secret that signs the tenant's webhooks. If ``rotate`` is true, make a new one first."""
        method, path = ("POST", "/v1/webhooks/secret/rotate") if rotate else ("GET", "/v1/webhooks/secret")
        return str(self._json(method, path)["secret"])

    def dead_webhooks(self) -> Iterator[Record]:
        """Yield the webhook messages that the service no longer sends, sorted by the id of the job."""
        return self._pages("/v1/webhooks", _LIST)

    def webhook(self, job: str) -> Record:
        """Return the delivery state of the message about a job's end."""
        return self._json("GET", f"/v1/webhooks/{job}")

    def replay_webhook(self, job: str) -> Record:
        """Send the message about an ended job again, and return its delivery state."""
        return self._json("POST", f"/v1/webhooks/{job}/replay")

    # Uploads and data sets

    def upload(self, path: Path) -> str:
        """Upload a file if the gateway lacks it; return its digest, by which an order names the file."""
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        return self.send(data) if self.missing([digest]) else digest

    def send(self, data: bytes) -> str:
        """Upload ``data`` and return its sha256."""
        return str(self._json("POST", "/v1/uploads", content=data)["id"])

    def upload_photo_order(
        self,
        order: Path,
        photos: Path,
        model: str,
        columns: dict[str, str] | None = None,
        progress: Progress = lambda what, done, total: None,
    ) -> str:
        """Upload an order file, and the pictures in the folder ``photos`` that its rows name.

        Returns the digest for the field ``upload`` of an order of ``model``. Pictures that were uploaded
        before are not sent again. Raises ProdgenError, which names the faulty row, before anything is sent.
        ``columns`` maps ``sku``, ``photo``, ``count`` and attributes to the file's columns.
        """
        attributes = [attribute["name"] for attribute in self.model(model)["attributes"]]
        read = read_photo_order(order, photos, attributes, columns)
        send_photos(self, read.files, progress)
        return self.send(read.jsonl)

    def missing(self, digests: Iterable[str]) -> set[str]:
        """Return the digests of files that the gateway does not have."""
        left, found = iter(sorted(set(digests))), set[str]()
        while batch := list(islice(left, _DIGESTS)):
            found.update(self._json("POST", "/v1/uploads/missing", json={"ids": batch})["missing"])
        return found

    def matte(self, photo: str, model: str) -> bytes:
        """Return the matte of a photograph, which a model found: a grey PNG, white where the product is.

        ``photo``: the digest of the upload. Raises NotFound if the model has made no picture of the
        photograph yet, or found no product in it.
        """
        return self._transport.request("GET", f"/v1/uploads/{photo}/matte", params={"model": model}).content

    def delete_upload(self, digest: str) -> Record:
        """Delete an upload and its cut-outs. Returns ``removed`` (digests) and ``bytes`` (freed)."""
        return self._json("DELETE", f"/v1/uploads/{digest}")

    def create_dataset(self, name: str, listing: str, summary: Record) -> Record:
        """Create a version of a data set and return it. ``listing``: digest of the uploaded list of files."""
        body = {"listing": listing, "summary": summary}
        return self._json("POST", f"/v1/datasets/{name}", json=body, timeout=120.0)

    def datasets(self) -> Iterator[Record]:
        """Yield every version of every data set, newest first."""
        return self._pages("/v1/datasets", _LIST)

    def dataset(self, ref: str) -> Record:
        """Return a data set version (``ref``: NAME or NAME@VERSION) with a summary of its content."""
        return self._json("GET", f"/v1/datasets/{ref}")

    def delete_dataset(self, ref: str) -> Record:
        """Delete NAME@VERSION, or all versions of NAME. Returns ``removed`` (ids) and ``bytes`` (freed)."""
        return self._json("DELETE", f"/v1/datasets/{quote(ref, safe='@')}", timeout=600.0)

    # Models

    def models(self) -> Iterator[Record]:
        """Yield every model version that an order may name."""
        return self._pages("/v1/models", _LIST)

    def model(self, ref: str) -> Record:
        """Return one model version, with its attributes and the history of its aliases."""
        return self._json("GET", f"/v1/models/{ref}")

    def download_model(self, ref: str, folder: Path) -> Iterator[tuple[int, int]]:
        """Download the files of one model version to ``folder``; yield the bytes so far, and all bytes.

        A call after an interrupted call continues the download. Checks each file by its digest, and the whole
        folder by the name of the version.
        """
        model = self.model(ref)
        files = self._pages(f"/v1/models/{model['name']}@{model['version']}/files", _LIST)
        return download_model(self._transport, model["version"], files, folder)

    def promote(self, name: str, version: str, alias: str, force: bool = False) -> Record:
        """Let the alias ``name@alias`` mean ``version`` (a version or another alias); return the change.

        ``force`` allows a version with a worse score, or a score that cannot be compared.
        """
        body = {"version": version, "force": force}
        return self._json("POST", f"/v1/models/{name}/aliases/{alias}", json=body)

    def delete_model(self, ref: str) -> Record:
        """Delete NAME@VERSION of the tenant's own model. Returns ``removed`` (ids) and ``bytes`` (freed)."""
        return self._json("DELETE", f"/v1/models/{quote(ref, safe='@')}")

    def rollback(self, name: str, alias: str) -> Record:
        """Let the alias ``name@alias`` mean its previous version again; return the change."""
        body = {"version": self.model(f"{name}@{alias}")["version"]}
        return self._json("POST", f"/v1/models/{name}/aliases/{alias}/rollback", json=body)

    # Runs: training, preparation, evaluation

    def train(self, spec: Record, idempotency_key: str | None = None) -> Record:
        """Queue a training run and return it."""
        return self._queue("/v1/training-jobs", spec, idempotency_key)

    def prepare(self, spec: Record, idempotency_key: str | None = None) -> Record:
        """Queue a preparation and return its run."""
        return self._queue("/v1/preparation-jobs", spec, idempotency_key)

    def evaluate(self, spec: Record, idempotency_key: str | None = None) -> Record:
        """Queue an evaluation and return its run."""
        return self._queue("/v1/evaluation-jobs", spec, idempotency_key)

    def run(self, run: str) -> Record:
        """Return a run: its request, state and progress."""
        return self._json("GET", f"/v1/training-jobs/{run}")

    def runs(self) -> Iterator[Record]:
        """Yield every run, newest first."""
        return self._pages("/v1/training-jobs", _LIST)

    def watch_run(self, run: str) -> Iterator[Record]:
        """Yield the run's events until the run has ended. Connects again if the connection breaks."""
        return self._transport.events(f"/v1/training-jobs/{run}/events")

    def command(self, run: str, command: str) -> Record:
        """Send a run the command ``cancel``, ``pause`` or ``resume``, and return the run."""
        return self._json("POST", f"/v1/training-jobs/{run}/{command}")

    def delete_run(self, run: str, for_good: bool = False) -> Record:
        """Delete an ended run with its files. Returns the time, and until when the run can be restored.

        With ``for_good`` the run cannot be restored, and its files are deleted within minutes.
        """
        return self._json("DELETE", f"/v1/training-jobs/{run}", params={"for_good": for_good})

    def trashed_runs(self) -> Iterator[Record]:
        """Yield the deleted runs that can be restored, sorted by id."""
        return self._pages("/v1/trash/training-jobs", _LIST)

    def restore_run(self, run: str) -> Record:
        """Restore a run that was deleted in the last seven days, and return it."""
        return self._json("POST", f"/v1/training-jobs/{run}/restore")

    def samples(self, run: str) -> list[Record]:
        """Return the files that the run has made so far, each with ``name``, ``step`` and signed ``url``."""
        return list(self._pages(f"/v1/training-jobs/{run}/samples", _LIST))

    def fetch_sample(self, sample: Record, path: Path) -> None:
        """Download the file of ``sample``, which `samples` has returned, to ``path``."""
        with replacing(path) as partial:
            partial.write_bytes(self._transport.download(sample["url"], sample["name"]))

    def metrics(self, run: str) -> Iterator[Record]:
        """Yield the ``losses`` and the ``metrics`` of each logged step, up to the run's newest checkpoint."""
        return self._pages(f"/v1/training-jobs/{run}/metrics", 1000)

    def logs(self, run: str) -> str:
        """Return, as one text, the last lines of the log of each attempt at the run, oldest attempt first."""
        return self._transport.request("GET", f"/v1/training-jobs/{run}/logs").text

    def _queue(self, path: str, spec: Record, idempotency_key: str | None) -> Record:
        headers = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
        return self._json("POST", path, json=spec, headers=headers)


def _address(model: str, seed: int, index: int, format: str, parameters: Mapping[str, str | float]) -> str:
    place = f"{quote(model, safe='@')}/{seed}/{index}.{extension(format)}"
    return f"/v1/render/{place}?{urlencode(parameters)}"
