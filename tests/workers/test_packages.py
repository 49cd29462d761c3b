"""The images of a lease are in its tar as every program reads tars, and its manifest has a line for each."""

import io
import tarfile

import pytest

from prodgen.generation.request import Request, manifest_line
from prodgen.models import SavedModel
from prodgen.photographs.studio import StudioPicture
from prodgen.spec.manifest import ManifestLine
from tests.generation.asking import request
from tests.toys import toy_model
from workers.generate.packages import as_files, as_tar


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> SavedModel:
    return toy_model(tmp_path_factory.mktemp("models") / "toy")


def packed(asked: Request, files: list[StudioPicture], with_lines: bool) -> tuple[bytes, list[ManifestLine]]:
    """The tar of a lease, and its manifest lines."""
    stored: dict[str, bytes] = {}
    lines = as_tar(
        lambda key, data, _: stored.update({key: data}), "cells/000000000.token", asked, files, with_lines
    )
    return stored["cells/000000000.token.tar"], lines


@pytest.mark.parametrize("with_lines", [False, True])
@pytest.mark.parametrize("count", [1, 21])
def test_a_tar_is_what_tarfile_writes_and_the_manifest_finds_each_image_in_it(toy, count, with_lines):
    asked = request(toy, count, truncation=0.7)
    files = [StudioPicture(bytes([k]) * (k % 3 * 512 + k % 2 * 77), None) for k in range(count)]
    data, lines = packed(asked, files, with_lines)
    again = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data)) as archive,
        tarfile.open(fileobj=again, mode="w", format=tarfile.USTAR_FORMAT) as written,
    ):
        members = archive.getmembers()
        for member in members:
            plain = tarfile.TarInfo(member.name)
            plain.size = member.size
            written.addfile(plain, archive.extractfile(member))
    assert again.getvalue() == data
    assert [m.name for m in members if m.name.endswith(".png")] == [f"{k:09d}.png" for k in range(count)]
    assert len(members) == count * (1 + with_lines)
    for line, image, file in zip(lines, asked.images, files, strict=True):
        assert data[line.offset : line.offset + line.length] == file.data
        where = {"object": line.object, "offset": line.offset, "length": line.length}
        assert line == manifest_line(asked, image, file.data, **where)
        assert ManifestLine.model_validate_json(line.to_json()) == line


def test_files_are_objects_of_their_own_with_what_a_review_found(toy):
    asked, stored = request(toy, 3), dict[str, bytes]()
    files = [StudioPicture(b"a", None), StudioPicture(b"b", "look", ("fill",)), StudioPicture(b"c", None, ())]
    lines = as_files(lambda key, data, _: stored.update({key: data}), "f", asked, files)
    assert stored == {"f/000000000.png": b"a", "f/000000001.png": b"b", "f/000000002.png": b"c"}
    expected = [
        manifest_line(asked, image, *file, object=f"f/{image.index:09d}.png")
        for image, file in zip(asked.images, files, strict=True)
    ]
    assert lines == expected
