"""A saved model is loaded again, and a malicious file does no harm."""

import json
import pickle
import socket
import stat
import threading
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from prodgen.errors import NotFound, ProdgenError
from prodgen.models import bundled_names, load_model, save_model
from prodgen.models.resnet import ResNetGenerator
from prodgen.models.saved import find_model
from tests.toys import SCHEMA, toy_folder, toy_generator


class Trap:
    """A pickle that creates a file when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


def test_a_model_is_loaded_as_it_was_saved_in_half_precision(tmp_path):
    generator = toy_generator(3)
    save_model(generator, tmp_path / "toy")
    loaded = load_model(tmp_path / "toy")
    for name, tensor in generator.state_dict().items():
        expected = tensor.half().float() if tensor.is_floating_point() else tensor
        assert torch.equal(loaded.generator.state_dict()[name], expected), name
    assert loaded.generator.schema == SCHEMA
    assert {p.dtype for p in loaded.generator.parameters()} == {torch.float32}
    assert not loaded.generator.training


def test_saving_twice_gives_the_same_version(tmp_path):
    a, b = (load_model(toy_folder(tmp_path / name)) for name in "ab")
    assert a.digest == b.digest
    assert a.id == f"a@{a.digest}"
    save_model(a.generator, tmp_path / "again")
    assert load_model(tmp_path / "again").digest == a.digest


def test_a_trained_model_is_named_after_its_run(tmp_path, monkeypatch):
    folder = toy_folder(tmp_path / "shop" / "model")
    assert load_model(folder).name == load_model(str(folder)).name == "shop"
    assert find_model(str(folder)) == (folder, "shop")
    monkeypatch.chdir(folder)
    assert load_model(".").name == "shop"


def test_saving_does_not_change_the_model_in_training(tmp_path):
    generator = toy_generator()
    save_model(generator, tmp_path / "toy")
    assert {p.dtype for p in generator.parameters()} == {torch.float32}


def test_a_folder_holds_config_and_weights_and_nothing_else(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert stat.S_IMODE((folder / "model.safetensors").stat().st_mode) == 0o644


def test_a_readme_of_the_users_survives(tmp_path):
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "README.md").write_text("mine")
    toy_folder(folder)
    assert (folder / "README.md").read_text() == "mine"


def test_weights_beyond_half_precision_are_not_saved(tmp_path):
    generator = toy_generator()
    generator.norm.running_var.fill_(1e6)
    with pytest.raises(ProdgenError, match="do not fit into half precision"):
        save_model(generator, tmp_path / "toy")


def test_a_folder_without_weights_is_refused(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(ProdgenError, match=r"has no model.safetensors; other formats may hold code"):
        load_model(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("protocol", [pickle.dumps, "torch"])
def test_a_malicious_pickle_is_not_executed(folder, tmp_path, name, protocol):
    mark = tmp_path / "executed"
    (folder / "model.safetensors").unlink()
    if protocol == "torch":
        torch.save({"weights": Trap(mark)}, folder / name)
    else:
        (folder / name).write_bytes(protocol(Trap(mark)))
    with pytest.raises(ProdgenError):
        load_model(folder)
    with pytest.raises((OSError, SafetensorError)):
        ResNetGenerator.from_pretrained(folder)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Trap(mark)))
    assert mark.exists()


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b[:100], lambda b: b"", lambda b: b"\x80" + b]
)
def test_broken_weights_are_one_sentence(folder, damage):
    weights = folder / "model.safetensors"
    weights.write_bytes(damage(weights.read_bytes()))
    sentence = r"weights in .* are broken or belong to another model|is not a safetensors file"
    with pytest.raises(ProdgenError, match=sentence) as refused:
        load_model(folder)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        {"widths": [32, 8]},
        {"widths": [16, 16, 8]},
        {"widths": "wide"},
        {"latent_dim": 16},
        {"size": -3},
        {"channels": 3},
    ],
)
def test_weights_of_another_architecture_are_one_sentence(folder, change):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(ProdgenError, match="broken or belong to another model") as refused:
        load_model(folder)
    assert "\n" not in str(refused.value)


def test_weights_with_a_part_missing_are_one_sentence(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("dense.weight")
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ProdgenError, match="broken or belong to another model"):
        load_model(folder)


def test_weights_that_are_not_numbers_are_refused(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["dense.bias"][0] = float("nan")
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ProdgenError, match="not finite"):
        load_model(folder)


def test_weights_that_do_not_fit_on_the_device_are_one_sentence(folder, monkeypatch):
    def refuse(self, *_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(ResNetGenerator, "to", refuse)
    with pytest.raises(ProdgenError, match=r"^toy is too large for the device cpu: its weights take \d+ MiB"):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"family": "diffusion"}, "family 'diffusion'; the known ones are dcgan, resnet"),
        ({"format": 2}, "format 2; this prodgen reads formats up to 1"),
        (
            {"attributes": {"attributes": [{"name": "x", "values": ["a"], "frequencies": []}]}},
            "no model's config",
        ),
        ({"size": "big"}, "no model's config.json: size"),
    ],
)
def test_a_configuration_that_is_not_ours_is_one_sentence(folder, change, words):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(ProdgenError, match=words):
        load_model(folder)


def test_a_folder_that_is_no_model_is_not_found(tmp_path):
    with pytest.raises(NotFound, match=r"it has no config.json"):
        load_model(tmp_path)


def test_an_unknown_name_is_refused_with_the_names_of_bundled_models():
    with pytest.raises(NotFound, match="there is no model 'nothing': it is not a folder, and bundled are"):
        load_model("nothing")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Refuse and record every connection and every look-up of a name."""
    tried: list[object] = []

    def refuse(*arguments: object, **_: object) -> None:
        tried.append(arguments)
        raise OSError("no network in this test")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tried


def test_a_local_model_never_touches_the_network_nor_prints(folder, no_network, capfd, monkeypatch):
    before = threading.active_count()
    load_model(folder)
    load_model(str(folder))
    monkeypatch.chdir(folder.parent)
    assert load_model("toy").name == "toy"
    monkeypatch.chdir(folder)
    assert load_model(".").name == "toy"
    if bundled_names():
        bundled = load_model(bundled_names()[0])
        assert load_model(bundled.id).id == bundled.id
    assert no_network == []
    assert capfd.readouterr() == ("", "")
    assert threading.active_count() == before


def test_a_missing_folder_never_touches_the_network(tmp_path, no_network):
    for ref in (f"{tmp_path}/gone", "./gone", "gone", "a/b/gone", "~/gone"):
        with pytest.raises(NotFound):
            load_model(ref)
    assert no_network == []


def test_a_hub_that_does_not_answer_is_one_sentence(no_network, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        NotFound, match="there is no folder nobody/nothing, and fetching it from the hub failed"
    ) as refused:
        load_model("nobody/nothing")
    assert no_network
    assert "\n" not in str(refused.value)


def test_a_hubs_model_keeps_its_name_and_its_version(folder, monkeypatch):
    asked = []

    def download(name, **_):
        asked.append(name)
        return str(folder)

    monkeypatch.setattr("prodgen.models.saved.snapshot_download", download)
    model = load_model("owner/toy")
    assert model.name == "owner/toy"
    assert find_model(model.id) == (folder, "owner/toy")
    with pytest.raises(NotFound, match=f"owner/toy has version {model.digest} here, not 000000000000"):
        load_model("owner/toy@000000000000")
    assert set(asked) == {"owner/toy"}
