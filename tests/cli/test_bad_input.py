"""Each mistake gets one sentence and exit code 2: no traceback, and nothing is written."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_help import ALL

Refused = Callable[..., str]
LEAVES = [path for path, command in ALL.items() if not hasattr(command, "commands")]


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_an_unknown_option_is_named(refused: Refused, path: tuple[str, ...]) -> None:
    assert "--no-such-option" in refused(*path, "--no-such-option")


@pytest.mark.parametrize(
    "path", [path for path in LEAVES if any(one.required for one in ALL[path].params)], ids=" ".join
)
def test_a_missing_argument_is_named(refused: Refused, path: tuple[str, ...]) -> None:
    assert refused(*path).startswith("Missing ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("no-such-command", "No such command 'no-such-command'"),
        ("generate nope --out out", "there is no model 'nope'"),
        ("generate fashion-mnist --out out --attr category", "--attr 'category' is not name=value"),
        ("generate fashion-mnist --out out --attr category=banana", "banana"),
        ("generate fashion-mnist --out out --count 0", "count must be at least 1, not 0"),
        ("generate fashion-mnist --out out --count 99999999", "99,999,999 images are too many"),
        ("generate fashion-mnist --out out --seed -1", "seed must be at least 0, not -1"),
        ("generate fashion-mnist --out out --truncation 0", "truncation must be greater than 0"),
        ("generate fashion-mnist --out out --format gif", "format must be"),
        ("generate fashion-mnist --out out --background mauvish", "mauvish"),
        ("generate fashion-mnist --out file/out", "cannot write to file/out: Not a directory"),
        ("verify nowhere", "there is no manifest nowhere"),
        ("verify file", "file lists no image"),
        ("train fashion-mnist --data nowhere", "name a folder with --out, or --queue the run"),
        ("train fashion-mnist --data nowhere --out out", "there is no folder nowhere"),
        ("train fashion-mnist --data nowhere --out file/out", "cannot write to file/out: "),
        ("train nope --data nowhere --out out", "nope"),
        ("train fashion-mnist --data x --out out --set steps", "steps"),
        ("train fashion-mnist --data x --out out --nodes 2", "are for --queue"),
        ("train fashion-mnist --data x --queue --out out", "--out is for training here"),
        ("evaluate nope --data nowhere", "there is no model 'nope'"),
        ("evaluate fashion-mnist --data nowhere", "there is no folder nowhere"),
        ("evaluate fashion-mnist --data x --key k", "--key is for --queue"),
        ("evaluate fashion-mnist --data x --queue --seed 1", "are for evaluating here"),
        ("data show nowhere", "there is no folder nowhere"),
        ("data show file", "file"),
        ("data download nope --out out", "there is no public data set 'nope'"),
        ("data inspect nowhere", "there is no folder nowhere"),
        ("data clean nowhere --out out", "there is no folder nowhere"),
        ("data clean nowhere --out file/out", "cannot write to file/out: "),
        ("data prepare nowhere --out out", "there is no folder nowhere"),
        ("data prepare nowhere", "--queue the run"),
        ("data prepare nowhere --out out --size 9", "size 9 is not from 16 to 512"),
        ("data prepare nowhere --out out --drop blank", "are for --queue"),
        ("data push nowhere", "PRODGEN_API_KEY is not set"),
        ("submit no-such-file.csv", "there is no order file no-such-file.csv"),
        ("submit file", "the order names no SKU: file is empty"),
        ("jobs list", "PRODGEN_API_KEY is not set"),
        ("training list", "PRODGEN_API_KEY is not set"),
        ("models list", "PRODGEN_API_KEY is not set"),
        ("models publish x --name x --tenant x --alias production", "production is reached by comparison"),
        ("keys list", "there is no store in "),
        ("tenants list", "there is no store in "),
        ("tenants set x --weight heavy", "Invalid value for '--weight'"),
        ("up --port 8123 --flower-port 8123", "--port and --flower-port are both 8123; choose two"),
        ("up --port 0", "Invalid value for '--port'"),
        ("bench --images 1", "Invalid value for '--images'"),
    ],
)
def test_a_mistake_costs_one_sentence(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()

    assert sentence in refused(*words.split())

    assert [path.name for path in tmp_path.iterdir()] == ["file"], "something was written"


def test_a_port_that_is_taken_is_named(refused: Refused, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for option in ("--port", "--flower-port"):
            sentence = refused("up", option, port, "--data-dir", tmp_path / "data")
            assert sentence == f"port {port} is taken; choose another with {option}"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PRODGEN_API_KEY", "gr\u00fcn", "PRODGEN_API_KEY has a letter that no key has"),
        ("PRODGEN_URL", "not a url", "PRODGEN_URL must be http://HOST:PORT or https://HOST, not 'not a url'"),
        ("PRODGEN_URL", "http://127.0.0.1:1", "the gateway at http://127.0.0.1:1 does not answer: "),
    ],
)
def test_a_wrong_address_or_key_is_named(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv("PRODGEN_API_KEY", "pg_" + "x" * 43)
    monkeypatch.setenv(name, value)
    assert sentence in refused("jobs", "list")


def test_a_setting_that_makes_no_sense_is_named(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRODGEN_LEASE_SECONDS", "soon")
    assert "PRODGEN_LEASE_SECONDS" in refused("keys", "list")


def test_ctrl_c_is_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("prodgen.cli.access.open_store", stopped)
    assert run("keys", "list") == (130, "", "")
