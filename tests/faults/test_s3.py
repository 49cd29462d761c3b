"""A deployment whose store is an S3 server, which goes away and comes back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from prodgen.cli.gateway import push_folder
from prodgen.runs.files import newest_checkpoint
from tests.faults.test_training import PATIENCE, RECIPE, wait_for_steps
from tests.faults.whole import IMAGES, ORDER, assert_once, assert_whole, verified
from tests.servers.deployment import Deployment
from tests.servers.process import wait_until
from tests.servers.swift import S3Server
from tests.servers.up import run_prodgen, wait_for_progress
from tests.servers.valkey import ValkeyServer
from tests.toys import write_catalogue


@pytest.fixture(scope="module")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, valkey_server: ValkeyServer, s3_server: S3Server
) -> Iterator[Deployment]:
    with Deployment(tmp_path_factory.mktemp("deployment"), valkey_server, s3_server) as running:
        yield running


def test_images_come_straight_from_the_object_store(deployment: Deployment, tmp_path: Path) -> None:
    with deployment.client() as client:
        job = client.submit({**ORDER, "count": 70})
        ended = [*client.watch(job["id"])][-1]
        images = [*client.download(job["id"], tmp_path)]

    assert (ended["state"], job["packaging"]) == ("succeeded", "files")
    assert all(image["url"].startswith(deployment.s3.endpoint) for image in images)
    assert_once(deployment.store, job["id"], 70)
    assert verified(tmp_path)


def test_a_store_that_goes_away_for_a_while_costs_no_image(deployment: Deployment, tmp_path: Path) -> None:
    with deployment.client() as client:
        job = client.submit(ORDER)["id"]
        wait_for_progress(client, job, IMAGES // 10)

        with deployment.s3.down():
            pass

        assert_whole(client, deployment.store, job, tmp_path / "images")


def test_a_store_that_goes_away_costs_a_run_no_step(deployment: Deployment, tmp_path: Path) -> None:
    with deployment.client() as client:
        push_folder(client, write_catalogue(tmp_path / "toys", count=200, size=16), quiet=True)
        run = client.train({"recipe": RECIPE, "data": "toys"})["id"]
        wait_for_steps(client, run)
        with deployment.s3.down():
            told = deployment.step(run)
            wait_until(lambda: deployment.step(run) > told, "the run waits for the store", PATIENCE)

        wait_until(lambda: client.run(run)["step"] > told, "the run stands still", PATIENCE)
        wait_for_steps(client, run)
        assert client.run(run)["restarts"] == 0
        client.command(run, "pause")  # its last checkpoint reaches the store
        wait_until(lambda: client.run(run)["state"] == "paused", "it is not paused", PATIENCE)
        newest = newest_checkpoint(deployment.store, "default", run)
        assert newest
        assert newest.step == client.run(run)["step"] > told
        client.command(run, "cancel")


@pytest.mark.parametrize(
    ("service", "sentence"),
    [
        ("valkey_server", "the job ledger (Redis) does not answer"),
        ("s3_server", "the object store cannot be used now"),
    ],
)
def test_an_order_that_cannot_be_taken_is_refused_in_one_sentence(
    deployment: Deployment, request: pytest.FixtureRequest, service: str, sentence: str
) -> None:
    server = request.getfixturevalue(service)
    with server.down():
        done = run_prodgen("submit", "--count", 1, environment=deployment.environment)

    assert done.returncode == 2
    assert done.stderr.startswith(f"prodgen: {sentence}")
    assert deployment.s3.endpoint not in done.stderr
    assert done.stderr.count("\n") == 1
