"""The client of the gateway's HTTP API: a method for each request."""

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
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
"""The most addresses in one request of `Client.render_urls`."""
_DIGESTS = 10_000
"""The most digests in one request of `Client.missing`."""


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
        """Check an order without placing it: return the number of its images, and their seconds."""
        return self._json("POST", "/v1/quotes", json=spec)

    def job(self, job: str) -> Record:
        """Return a job with its present state."""
        return self._json("GET", f"/v1/jobs/{job}")

    def jobs(self, states: Iterable[str] = ()) -> Iterator[Record]:
        """Yield every job in these states (by default in any), newest first."""
        return self._pages("/v1/jobs", _LIST, state=[*states])

    def watch(self, job: str) -> Iterator[Record]:
        """Yield the job's events until the job has ended. Connects again if the connection breaks."""
        return self._transport.events(f"/v1/jobs/{job}/events")

    def cancel(self, job: str) -> Record:
        """Stop a job for good and return it. Its finished images are kept."""
        return self._json("POST", f"/v1/jobs/{job}/cancel")

    def pause(self, job: str) -> Record:
        """Give no more images of a job to workers, until `resume`; return the job."""
        return self._json("POST", f"/v1/jobs/{job}/pause")

    def resume(self, job: str) -> Record:
        """Continue a paused job and return it."""
        return self._json("POST", f"/v1/jobs/{job}/resume")

    def failures(self, job: str) -> Iterator[Record]:
        """Yield the job's images that could not be made by index, each with its ``error``."""
        return self._pages(f"/v1/jobs/{job}/failures", PAGE)

    def retry(self, job: str) -> Record:
        """Make the failed images of an ended job again, and return the job. Its finished images stay."""
        return self._json("POST", f"/v1/jobs/{job}/retry")

    def keep(self, job: str, keep: str) -> Record:
        """Keep a job for another time after its end (``30d``, ``12h``, ``forever``), and return the job."""
        return self._json("POST", f"/v1/jobs/{job}/keep", json={"keep": keep})

    def reject(self, job: str, images: Sequence[int], idempotency_key: str | None = None) -> Record:
        """Order images of a job again, by index, with the next attempt of each; return the new job."""
        return self._queue(f"/v1/jobs/{job}/reject", {"images": [*images]}, idempotency_key)

    def order_again(self, job: str, model: str, idempotency_key: str | None = None) -> Record:
        """Place a job's order again by another version (``NAME@ALIAS``, ``NAME@VERSION``); return the job."""
        return self._queue(f"/v1/jobs/{job}/again", {"model": model}, idempotency_key)

    def diff(self, job: str, other: str) -> Iterator[Record]:
        """Yield the images of a job (``old``) beside those of the same order by another version (``new``).

        Pairs come by index, with how much each has changed (``change``, ``colour``) and its ``choice``.
        """
        return self._pages(f"/v1/jobs/{job}/diff/{other}", _LIST)

    def choose(self, job: str, other: str, images: Sequence[int], choice: str | None) -> Record:
        """Choose the ``new`` or keep the ``old`` image of pairs, by index; return the counts of choices."""
        body = {"images": [*images], "choice": choice}
        return self._json("POST", f"/v1/jobs/{job}/diff/{other}/choices", json=body)

    def download_choices(self, job: str, other: str, path: Path) -> None:
        """Download the table of chosen images (CSV) to ``path``. Undecided pairs have the old image."""
        response = self._transport.request("GET", f"/v1/jobs/{job}/diff/{other}/choices")
        with replacing(path) as partial:
            partial.write_bytes(response.content)

    def set_priority(self, job: str, priority: str) -> Record:
        """Move a job to the queue ``bulk`` or ``interactive`` (at most 64 images), and return the job."""
        return self._json("POST", f"/v1/jobs/{job}/priority", json={"priority": priority})

    def delete_job(self, job: str, for_good: bool = False) -> Record:
        """Delete an ended job with its images; return when, and until when it can be restored.

        With ``for_good`` it cannot be restored, and its images are deleted within minutes.
        """
        return self._json("DELETE", f"/v1/jobs/{job}", params={"for_good": for_good})

    def trash(self) -> Iterator[Record]:
        """Yield the deleted jobs that can be restored, by id."""
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
    ) -> Iterator[Record]:
        """Yield the manifest line of each finished image by index, with a signed ``url``.

        One request fetches ``page`` images. With ``language`` (en or zh), each image has a ``description``:
        its ``title``, its ``alt`` text and a file ``name``. ``attributes``: only images with these values;
        ``untrusted``: only pictures that are to be looked at. ``newest``: in the place of each rejected image
        the one that replaces it.
        """
        filters: Record = {"language": language} if language else {}
        filters["attribute"] = [f"{name}={value}" for name, value in (attributes or {}).items()]
        filters |= {name: True for name, wanted in (("untrusted", untrusted), ("newest", newest)) if wanted}
        return self._pages(f"/v1/jobs/{job}/images", page, **filters)

    def download(
        self, job: str, folder: Path, by_sku: bool = False, newest: bool = False
    ) -> Iterator[Record]:
        """Download the job's finished images and manifests to ``folder``; yield each downloaded image.

        With ``by_sku``, the images of each SKU have a folder of their own. The images of a job that has ended
        are checked against its Merkle root, unless ``newest`` asks for those that replace rejected images.
        """
        root = None if newest else self.job(job).get("root")
        return download(self._transport, lambda: self.images(job, newest=newest), folder, by_sku, root)

    def download_sheets(self, job: str, folder: Path) -> Iterator[Record]:
        """Download an ended job's sprite sheets, atlases and manifest to ``folder``; yield each image."""
        return download_sheets(self._transport, job, lambda: self.images(job), folder)

    def download_shards(self, job: str, folder: Path) -> Iterator[int]:
        """Download the tars of an ended order for webdataset to ``folder``; yield the images so far.

        A call after an interrupted call continues the download. Each image is checked against its digest, and
        all against the job's Merkle root.
        """
        return download_shards(self._transport, job, folder, self.job(job).get("root"))

    def download_parquet(self, job: str, folder: Path, newest: bool = False) -> Iterator[int]:
        """Write an ended job's images and attributes to Parquet files; yield the images so far.

        A call after an interrupted call continues behind the files that are whole. Raises Conflict if the job
        was retried between the calls, or an image rejected. ``newest``: as for `images`.
        """
        if self.job(job)["state"] not in TERMINAL:
            raise Conflict(f"job {job} has not ended; its Parquet files are written when it has")
        return download_parquet(self._transport, job, self.images(job, newest=newest), folder)

    def download_archive(self, job: str, path: Path, newest: bool = False) -> Iterator[tuple[int, int]]:
        """Download an ended job's images and manifest as a tar to ``path``; yield bytes so far and in all.

        A call after an interrupted call continues the download. ``newest``: as for `images`. Raises Conflict
        if an image is replaced meanwhile.
        """
        return download_archive(self._transport, job, path, newest)

    def proof(self, job: str, index: int) -> Record:
        """Return the proof that an image is one of an ended job's, by RFC 9162 (`InclusionProof`)."""
        return self._json("GET", f"/v1/jobs/{job}/images/{index}/proof")

    def usage(self, first: date, last: date) -> list[Record]:
        """Return what the tenant's orders delivered from ``first`` to ``last``, by day and model."""
        params = {"from": str(first), "to": str(last)}
        rows: list[Record] = self._json("GET", "/v1/usage", params=params)["data"]
        return rows

    def read_prompt(self, model: str, prompt: str) -> Record:
        """Return how the model understands a prompt: attributes, count, background, and words not read."""
        return self._json("POST", "/v1/prompts", json={"model": model, "prompt": prompt})

    # Images by their addresses

    def render(
        self, model: str, seed: int, index: int, format: str = "png", **parameters: str | float
    ) -> bytes:
        """Return the image at ``index`` of an order with ``seed``; the service makes it if it is new.

        ``parameters``: attributes of the model, ``size``, ``background``, ``truncation``, and for a mix with
        another image ``mix="SEED/INDEX"`` with ``share`` or ``steps``.
        """
        path = _address(model, seed, index, format, parameters)
        return self._transport.request("GET", path, follow_redirects=True, timeout=90.0).content

    def redraw(
        self, model: str, picture: Path, *, seed: int = 0, format: str = "png", **parameters: str | float
    ) -> tuple[bytes, Record]:
        """Upload a picture, and return the image that the model draws from it, and what it was taken for.

        ``parameters``: attributes to change, ``strength`` from 0 to 1, ``size``, ``background``. The record
        has the ``attributes`` that were read, and the ``distance`` of the redrawn picture.
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
        """Return the URL of an image, signed for use without a key, for ``seconds`` or for ever."""
        return self.render_urls([_address(model, seed, index, format, parameters)], seconds)[0]

    def render_urls(self, addresses: Iterable[str], seconds: int | None = None) -> list[str]:
        """Return the signed URL of each address, such as ``/v1/render/clothing/7/0.webp?colour=red``."""
        left, found = iter(addresses), list[str]()
        while batch := list(islice(left, _ADDRESSES)):
            found += self._json("POST", "/v1/render", json={"addresses": batch, "seconds": seconds})["data"]
        return found

    # Webhooks

    def webhook_secret(self, rotate: bool = False) -> str:
        """Return the secret that signs the tenant's webhooks. If ``rotate`` is true, make a new one first."""
        method, path = ("POST", "/v1/webhooks/secret/rotate") if rotate else ("GET", "/v1/webhooks/secret")
        return str(self._json(method, path)["secret"])

    def dead_webhooks(self) -> Iterator[Record]:
        """Yield the messages that were given up, by the id of their job."""
        return self._pages("/v1/webhooks", _LIST)

    def webhook(self, job: str) -> Record:
        """Return what became of the message about a job's end."""
        return self._json("GET", f"/v1/webhooks/{job}")

    def replay_webhook(self, job: str) -> Record:
        """Send the message about an ended job again, and return its record."""
        return self._json("POST", f"/v1/webhooks/{job}/replay")

    # Uploads and data sets

    def upload(self, path: Path) -> str:
        """Upload a file, unless it is there already, and return the digest by which an order names it."""
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        return self.send(data) if self.missing([digest]) else digest

    def send(self, data: bytes) -> str:
        """Upload bytes and return their digest."""
        return str(self._json("POST", "/v1/uploads", content=data)["id"])

    def upload_photo_order(
        self,
        order: Path,
        photos: Path,
        model: str,
        columns: dict[str, str] | None = None,
        progress: Progress = lambda what, done, total: None,
    ) -> str:
        """Upload an order file, and the files of the folder ``photos`` that its rows name.

        Returns the digest that an order of ``model`` names as its ``upload``. Pictures that were uploaded
        before are not sent again. Raises ProdgenError, which names the row, before anything is sent.
        ``columns`` maps ``sku``, ``photo``, ``count`` and attributes to the file's columns.
        """
        attributes = [attribute["name"] for attribute in self.model(model)["attributes"]]
        read = read_photo_order(order, photos, attributes, columns)
        send_photos(self, read.files, progress)
        return self.send(read.jsonl)

    def missing(self, digests: Iterable[str]) -> set[str]:
        """Return the digests whose content has not been uploaded to the gateway."""
        left, found = iter(sorted(set(digests))), set[str]()
        while batch := list(islice(left, _DIGESTS)):
            found.update(self._json("POST", "/v1/uploads/missing", json={"ids": batch})["missing"])
        return found

    def matte(self, photo: str, model: str) -> bytes:
        """Return the matte by which a model has cut the product out of a photograph.

        It is a grey PNG that is white where the product is.

        Raises NotFound if the model has made no picture of the photograph yet, or found no product in it.
        """
        return self._transport.request("GET", f"/v1/uploads/{photo}/matte", params={"model": model}).content

    def delete_upload(self, digest: str) -> Record:
        """Delete an upload with the cut-outs of it; return ``removed`` and the ``bytes`` freed."""
        return self._json("DELETE", f"/v1/uploads/{digest}")

    def create_dataset(self, name: str, listing: str, summary: Record) -> Record:
        """Create a version of a data set and return it. ``listing``: the digest of the uploaded list."""
        body = {"listing": listing, "summary": summary}
        return self._json("POST", f"/v1/datasets/{name}", json=body, timeout=120.0)

    def datasets(self) -> Iterator[Record]:
        """Yield every version of every data set, newest first."""
        return self._pages("/v1/datasets", _LIST)

    def dataset(self, ref: str) -> Record:
        """Return a data set version (``ref``: NAME or NAME@VERSION) with a summary of its content."""
        return self._json("GET", f"/v1/datasets/{ref}")

    def delete_dataset(self, ref: str) -> Record:
        """Delete NAME@VERSION, or all versions of NAME; return the ids ``removed`` and ``bytes`` freed."""
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

        A call after an interrupted call continues the download. Every file is checked against its digest,
        and the folder against the version.
        """
        model = self.model(ref)
        files = self._pages(f"/v1/models/{model['name']}@{model['version']}/files", _LIST)
        return download_model(self._transport, model["version"], files, folder)

    def promote(self, name: str, version: str, alias: str, force: bool = False) -> Record:
        """Move the alias ``name@alias`` to ``version`` (a version or another alias); return the change.

        ``force`` also allows a version that scores worse or cannot be compared.
        """
        body = {"version": version, "force": force}
        return self._json("POST", f"/v1/models/{name}/aliases/{alias}", json=body)

    def delete_model(self, ref: str) -> Record:
        """Delete NAME@VERSION of the tenant's own model; return ``removed`` and the ``bytes`` freed."""
        return self._json("DELETE", f"/v1/models/{quote(ref, safe='@')}")

    def rollback(self, name: str, alias: str) -> Record:
        """Move the alias ``name@alias`` back to its previous version; return the change."""
        body = {"version": self.model(f"{name}@{alias}")["version"]}
        return self._json("POST", f"/v1/models/{name}/aliases/{alias}/rollback", json=body)

    # Runs: training, preparation, evaluation

    def train(self, spec: Record, idempotency_key: str | None = None) -> Record:
        """Queue a training run and return it."""
        return self._queue("/v1/training-jobs", spec, idempotency_key)

    def prepare(self, spec: Record, idempotency_key: str | None = None) -> Record:
        """Queue the preparation of photographs and return the run."""
        return self._queue("/v1/preparation-jobs", spec, idempotency_key)

    def evaluate(self, spec: Record, idempotency_key: str | None = None) -> Record:
        """Queue the evaluation of a model and return the run."""
        return self._queue("/v1/evaluation-jobs", spec, idempotency_key)

    def run(self, run: str) -> Record:
        """Return a run with its present state."""
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
        """Delete an ended run with its files; return when, and until when it can be restored."""
        return self._json("DELETE", f"/v1/training-jobs/{run}", params={"for_good": for_good})

    def trashed_runs(self) -> Iterator[Record]:
        """Yield the deleted runs that can be restored, by id."""
        return self._pages("/v1/trash/training-jobs", _LIST)

    def restore_run(self, run: str) -> Record:
        """Restore a run that was deleted in the last seven days, and return it."""
        return self._json("POST", f"/v1/training-jobs/{run}/restore")

    def samples(self, run: str) -> list[Record]:
        """Return the files that the run has made so far, each with ``name``, ``step`` and signed ``url``."""
        return list(self._pages(f"/v1/training-jobs/{run}/samples", _LIST))

    def fetch_sample(self, sample: Record, path: Path) -> None:
        """Download the file of ``sample``, an item of `samples`, to ``path``."""
        with replacing(path) as partial:
            partial.write_bytes(self._transport.download(sample["url"], sample["name"]))

    def metrics(self, run: str) -> Iterator[Record]:
        """Yield the ``losses`` and the ``metrics`` of each logged step, up to the run's newest checkpoint."""
        return self._pages(f"/v1/training-jobs/{run}/metrics", 1000)

    def logs(self, run: str) -> str:
        """Return the end of the log of each attempt of the run, oldest first."""
        return self._transport.request("GET", f"/v1/training-jobs/{run}/logs").text

    def _queue(self, path: str, spec: Record, idempotency_key: str | None) -> Record:
        headers = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
        return self._json("POST", path, json=spec, headers=headers)


def _address(model: str, seed: int, index: int, format: str, parameters: Mapping[str, str | float]) -> str:
    place = f"{quote(model, safe='@')}/{seed}/{index}.{extension(format)}"
    return f"/v1/render/{place}?{urlencode(parameters)}"
