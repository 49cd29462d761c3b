"""Every mistake costs one clear sentence and exit code 2; nothing is ordered."""

from pathlib import Path

import pytest

from tests.servers.process import free_port
from tests.servers.up import Up

ORDERS = {
    "count": ("sku,count\nA-1,2\nB-2,many\n", "row 3, column count: 'many' is not a whole number"),
    "value": ("sku,category\nA-1,banana\n", "row 2 (A-1): category cannot be 'banana'"),
    "column": ("sku,colour\nA-1,red\n", "row 2, column colour: this model has no attribute 'colour'"),
    "quotes": ('sku,category\n"A-1,bag\n', "row 2: the quotes do not match"),
    "short": ("sku,count,category\nA-1\n", "row 2, column count: the row ends before it"),
    "header": ("name,count\nA-1,1\n", "row 1"),
    "empty": ("", "the order names no SKU"),
    "binary": ("\x00\x01", "row "),
}


def refused(up: Up, *arguments: object, **environment: str) -> str:
    """Return the one sentence of a command that must fail."""
    done = up.cli(*arguments, **environment)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stderr.startswith("prodgen: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""
    return done.stderr.removeprefix("prodgen: ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--model nope", "there is no model 'nope'; there are"),
        ("--model fashion-mnist@nope", "fashion-mnist has no version or alias 'nope'"),
        ("--model ../../etc", "'../../etc' is not a valid name"),
        ("--attr colour=red", "this model has no attribute 'colour'; its attributes are: category"),
        ("--attr category=banana", "banana"),
        ("--attr category", "--attr 'category' is not name=value"),
        ("--count 0", "count must be at least 1, not 0"),
        ("--count 1000000000000000", "one job makes at most 10,000,000"),
        (f"--count 1{'0' * 40}", "one job makes at most 10,000,000"),
        ("--count many", "Invalid value for '--count'"),
        ("--seed -1", "seed must be at least 0, not -1"),
        ("--truncation 0", "truncation must be greater than 0"),
        ("--format gif", "format must be"),
        ("--size 0", "size"),
        ("--background mauvish", "mauvish"),
        ("--priority soon", "priority must be"),
        ("--priority interactive --count 65", "an interactive one makes at most 64"),
        ("--seed-from sku", "seed_from 'sku' needs items"),
        ("no-such-file.csv", "there is no order file no-such-file.csv"),
        ("--no-such-option", "--no-such-option"),
    ],
)
def test_an_order_that_cannot_be_made_is_refused(up: Up, arguments: str, sentence: str) -> None:
    assert sentence in refused(up, "submit", *arguments.split())


@pytest.mark.parametrize("name", ORDERS)
def test_the_fault_of_an_order_file_is_named_with_row_and_column(up: Up, tmp_path: Path, name: str) -> None:
    text, sentence = ORDERS[name]
    path = tmp_path / "order.csv"
    path.write_text(text)

    assert refused(up, "submit", path).startswith(sentence)


def test_a_wrong_key_opens_nothing(up: Up) -> None:
    assert "not valid" in refused(up, "jobs", "list", PRODGEN_API_KEY="pg_" + "x" * 43)
    assert "PRODGEN_API_KEY is not set" in refused(up, "jobs", "list", PRODGEN_API_KEY="")


def test_an_unknown_job_is_named(up: Up) -> None:
    assert refused(up, "jobs", "show", "0" * 24) == f"there is no job '{'0' * 24}'\n"


def test_a_gateway_that_does_not_run_is_named(up: Up) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert f"the gateway at {url} does not answer" in refused(up, "submit", "--count", 1, PRODGEN_URL=url)
    assert "PRODGEN_URL" in refused(up, "jobs", "list", PRODGEN_URL="not a url")


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_ordered(up: Up, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with up.client() as client:
        before = len([*client.jobs()])

        assert "file" in refused(up, "submit", "--count", 1, "--out", tmp_path / "file" / "out")

        assert len([*client.jobs()]) == before


@pytest.mark.parametrize(
    "words",
    ["submit --attr colour=red", f"jobs download {'0' * 24}", "generate fashion-mnist --attr colour=red"],
)
def test_what_is_refused_leaves_no_folder(up: Up, tmp_path: Path, words: str) -> None:
    refused(up, *words.split(), "--out", tmp_path / "some" / "out")
    assert [*tmp_path.iterdir()] == []


def test_a_setting_that_makes_no_sense_is_named(up: Up) -> None:
    assert "PRODGEN_LEASE_SECONDS" in refused(up, "keys", "list", PRODGEN_LEASE_SECONDS="soon")
    assert "PRODGEN_STORE_URL" in refused(up, "keys", "list", PRODGEN_STORE_URL="ftp://here")


def test_nothing_was_ordered(up: Up) -> None:
    with up.client() as client:
        assert not [job for job in client.jobs() if job["state"] not in ("succeeded", "cancelled")]
