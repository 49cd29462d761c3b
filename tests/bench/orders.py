"""What an order of a million rows costs: time and memory to accept it, and to read a lease's images from it.

``python -m tests.bench.orders [ROWS]`` needs no service.
"""

import resource
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from prodgen.bundled import bundled_folders
from prodgen.jobs.items import JobImages, uploaded_items, write_items
from prodgen.jobs.record import JobRecord
from prodgen.registry.publish import publish
from prodgen.registry.versions import load_config
from prodgen.spec.order import JobSpec
from prodgen.storage import keys
from prodgen.storage.local import LocalStore

CATEGORIES = ("sneaker", "bag", "dress", "coat|shirt")


def peak() -> float:
    """The largest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(rows: int) -> None:
    """Accept an order of so many rows and read a lease from its middle."""
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder) / "store", "secret", "http://bench")
        [model] = [
            publish(store, path, path.name, None)
            for path in bundled_folders()
            if path.name == "fashion-mnist"
        ]
        upload = keys.upload("acme", "0" * 64)
        lines = (f"SHOP-2026-WINTER-{n:09d},1,{CATEGORIES[n % 4]}\n" for n in range(rows))
        file = Path(folder) / "order.csv"
        with file.open("w") as out:
            out.write("sku,count,category\n")
            out.writelines(lines)
        store.put_file(upload, file)
        print(f"{rows:,} rows, {file.stat().st_size / 2**20:.1f} MiB; before: {peak():.0f} MiB")

        spec, schema, start = (
            JobSpec(model=model.name),
            load_config(store, model.prefix).attributes,
            time.perf_counter(),
        )
        path = Path(folder) / "items.jsonl"
        with uploaded_items(store, upload, ["category"]) as items:
            index = write_items(items, spec, schema, path)
        print(
            f"accepted: {index.total:,} images in {time.perf_counter() - start:.1f} s, peak {peak():.0f} MiB"
        )

        record = JobRecord(
            id="job",
            tenant="acme",
            created=datetime.now(UTC),
            spec=spec,
            model=model.id,
            model_prefix=model.prefix,
            total=index.total,
            packaging="tar",
            items=True,
            request_digest="",
        )
        store.put_file(keys.job("acme", "job", "items.jsonl"), path)
        store.put(keys.job("acme", "job", "items.index.json"), index.model_dump_json().encode())
        start, images = time.perf_counter(), JobImages(store, record)
        middle = index.total // 2
        wanted = [images[k] for k in range(middle, middle + 1024)]
        print(f"a lease of {len(wanted)} images: {time.perf_counter() - start:.3f} s, peak {peak():.0f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
