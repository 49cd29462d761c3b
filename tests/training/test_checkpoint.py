"""A checkpoint is read back as the state that was saved."""

import pytest
import torch

from prodgen.errors import ProdgenError
from prodgen.training import checkpoint


def test_every_kind_of_value_is_read_back_as_it_was(tmp_path):
    shared = torch.arange(6.0).view(2, 3)
    state = {"step": 3, "best": float("inf"), "text": "ä", "none": None, "list": [1, {"x": shared}, (2.5,)]}
    state |= {"keys": {0: shared.t(), 1: True}, "bytes": torch.arange(4, dtype=torch.uint8)}
    checkpoint.save(tmp_path / "c.safetensors", state)

    loaded = checkpoint.load(tmp_path / "c.safetensors")

    assert loaded["best"] == float("inf")
    assert loaded["list"][2] == [2.5]
    assert torch.equal(loaded["keys"][0], shared.t())
    assert loaded["bytes"].dtype == torch.uint8
    assert {k: loaded[k] for k in ("step", "text", "none")} == {"step": 3, "text": "ä", "none": None}


def test_a_crash_while_writing_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "c.safetensors"
    checkpoint.save(path, {"step": 1})
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("no space")))
    with pytest.raises(OSError, match="no space"):
        checkpoint.save(path, {"step": 2})
    assert checkpoint.load(path)["step"] == 1


@pytest.mark.parametrize("damage", [b"", b"x" * 100])
def test_a_broken_file_is_refused(tmp_path, damage):
    (tmp_path / "c.safetensors").write_bytes(damage)
    with pytest.raises(ProdgenError, match="is not a checkpoint that can be resumed"):
        checkpoint.load(tmp_path / "c.safetensors")
