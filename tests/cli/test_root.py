"""A picture or a manifest that was changed in the store after the job's end is found."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prodgen.client import Client as Service
from prodgen.errors import ProdgenError
from prodgen.storage import keys
from tests.cli.conftest import Run
from tests.gateway.running import Client, Gateway


def test_a_swapped_picture_with_a_forged_manifest_is_not_of_the_root(
    make_job: Callable[..., tuple[Client, str]], gateway: Gateway, toy: Path, tmp_path: Path, run: Run
) -> None:
    client, job = make_job("shop", items=[{"sku": "A", "count": 3}, {"sku": "B", "count": 67}])
    root = client.get(f"/v1/jobs/{job}").json()["root"]
    verify = ("verify", tmp_path / "whole", "--model", toy, "--root")
    for name in ("whole", "forged"):
        (tmp_path / name).mkdir()
    with Service(str(client.base_url), client.key) as service:
        assert len([*service.download(job, tmp_path / "whole", by_sku=True)]) == 70
        assert run(*verify, root).out == "70 of 70 images verified\n"
        assert "does not list the images of the root" in run(*verify, "0" * 64).err

        key = keys.manifest("shop", job, 0)
        lines = [json.loads(line) for line in gateway.store.get(key).splitlines()]
        gateway.store.put(lines[5]["object"], gateway.store.get(lines[6]["object"]), "image/png")
        lines[5]["sha256"] = lines[6]["sha256"]
        forged = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        gateway.store.put(key, forged.encode(), "application/jsonl")
        with pytest.raises(ProdgenError, match="not those that were recorded at the job's end"):
            [*service.download(job, tmp_path / "forged")]
    assert client.order(model="shoes", count=1)["root"] is None
