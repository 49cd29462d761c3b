"""How often an audit finds forged images, by the binomial law and in fact.

``python -m tests.bench.audits [ROUNDS]`` makes one order, and replaces 0.1% and then 1% of its images by
noise, by another image of the order, or by a compressed copy. It makes each image again once, and then
draws ROUNDS samples of each size.
"""

import io
import random
import sys
from math import sqrt
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from prodgen.audit import check_sample
from prodgen.connections import connect_ledger
from prodgen.generation.encode import encode_image
from prodgen.jobs.audits import choose_sample
from prodgen.jobs.ending import settle_jobs
from prodgen.jobs.manifests import published_whole
from prodgen.jobs.submission import submit
from prodgen.models import SavedModel
from prodgen.recovery import ensure
from prodgen.registry.publish import publish
from prodgen.settings import Settings
from prodgen.spec.order import JobSpec
from prodgen.storage.local import LocalStore
from tests.cli.test_audit import TENANT, Liar
from tests.servers.valkey import ValkeyServer
from tests.toys import toy_folder
from tests.workers.test_sick_worker import Worker

IMAGES, RATES, SHARES = 5000, (0.001, 0.01), (0.01, 0.05)


def main(rounds: int) -> None:
    """Print a line for each rate of forged images and each share that is made again."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        server = ValkeyServer(folder / "valkey")
        try:
            server.start()
            measure(
                LocalStore(folder / "store", "secret", "http://store.test"), server.url(0), folder, rounds
            )
        finally:
            server.kill()


def measure(store: LocalStore, redis: str, folder: Path, rounds: int) -> None:
    """Make the order, forge images of it, and draw ``rounds`` samples for each rate and share."""
    settings = Settings(redis_url=redis)  # type: ignore[arg-type]
    ledger, toy = connect_ledger(settings), toy_folder(folder / "toy")
    ensure(store, ledger)
    publish(store, toy, "toy", TENANT)
    spec = JobSpec.model_validate({"model": "toy", "count": IMAGES, "output": {"packaging": "files"}})
    record, _ = submit(store, ledger, settings, TENANT, spec, "audited")
    worker = Worker(store, ledger, folder / "worker", machine="liar")
    while worker.work(images=64):
        pass
    settle_jobs(store, ledger)
    liar, model = Liar(store, record.id), worker.models.load(record.model, TENANT)
    assert isinstance(model, SavedModel)
    order, forged = random.Random(1).sample(range(IMAGES), IMAGES), list[int]()
    for rate in RATES:
        for index in order[len(forged) : round(IMAGES * rate)]:
            forge(liar, index)
            forged.append(index)
        manifests = published_whole(store, record)
        everything = choose_sample(manifests, IMAGES, "")
        faults = filter(None, check_sample(store, record, model, worker.engine, everything))
        wrong = {fault.index for fault in faults}
        print(
            f"{rate:.1%} forged: {len(wrong & {*forged})} of {len(forged)} images are wrong when made again,"
        )
        print(f"  and {len(wrong - {*forged})} of the {IMAGES - len(forged)} others", flush=True)
        for share in SHARES:
            count, detected = round(IMAGES * share), 0
            for seed in range(rounds):
                sample = choose_sample(manifests, count, f"{rate} {share} {seed}")
                detected += any(index in wrong for index, _ in sample)
            report(rate, count, detected, rounds)
    worker.draining.set()
    worker.engine.close()


def forge(liar: Liar, index: int) -> None:
    """Replace an image by noise, by its neighbour, or by a copy that was compressed as JPEG."""
    picture = Image.open(io.BytesIO(liar.file(index)))
    mark = picture.info["xmp"]
    if index % 3 == 0:
        liar.lie(index, encode_image(Image.effect_noise(picture.size, 90), "png", mark))
    elif index % 3 == 1:
        liar.lie(index, liar.file(index - 1))
    else:
        squeezed = Image.open(io.BytesIO(encode_image(picture, "jpeg", b"", quality=20)))
        liar.lie(index, encode_image(squeezed.convert(picture.mode), "png", mark))


def report(rate: float, count: int, detected: int, rounds: int) -> None:
    """Print how often the audits found an image, and how often the binomial law expects it."""
    expected = 1 - (1 - rate) ** count
    error = 1.96 * sqrt(expected * (1 - expected) / rounds)
    print(
        f"  samples of {count}: found in {detected / rounds:.1%} of {rounds} audits; "
        f"expected {expected:.1%} ± {error:.1%}",
        flush=True,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 10_000)
