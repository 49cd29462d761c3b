"""Make pictures of photographs again from their manifest, and compare them with the stored files."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path

from prodgen.errors import ProdgenError
from prodgen.files import sha256
from prodgen.generation.verify import Finding, compare
from prodgen.photographs.learnt import Learnt
from prodgen.photographs.studio import Source, Studio
from prodgen.spec.manifest import ManifestLine
from prodgen.spec.order import ImageRequest


def photographs_in(folder: Path) -> dict[str, Path]:
    """Return the files of a folder and its sub-folders by digest."""
    if not folder.is_dir():
        raise ProdgenError(f"there is no folder {folder}", param="photos")
    files = (path for path in folder.rglob("*") if path.is_file())
    return {sha256(path): path for path in files}


def verify_pictures(
    lines: Iterable[ManifestLine],
    read: Callable[[str], bytes | None],
    studio: Studio,
    photographs: dict[str, Path],
) -> Iterator[Finding]:
    """Make the picture of each line again, compare it with the file ``read(line.file)``, and yield a finding.

    ``photographs``: their files by digest. ``read`` returns None for a file that cannot be read.
    """

    def source(photo: str) -> Source:
        data = photographs[photo].read_bytes()
        return Source(data, Learnt.from_png(studio.learn(data).to_png()))

    for (photo, finish, format), group in groupby(lines, lambda line: (line.photo, line.finish, line.format)):
        alike = list(group)
        if photo not in photographs:
            yield from (Finding(line, f"its photograph {photo} is not in the folder") for line in alike)
            continue
        images = [
            ImageRequest(n.index, n.seed, n.draw, n.attributes, n.sku, attempt=n.attempt, photo=photo)
            for n in alike
        ]
        pictures = studio.pictures(images, source, finish, format)
        for line, picture in zip(alike, pictures, strict=True):
            fault = compare(line, read(line.file), picture.data, studio.config.tolerance)
            if fault is None and picture.review != line.review:
                fault = f"the picture is to be reviewed because {picture.review!r}, not {line.review!r}"
            yield Finding(line, fault)
