"""The archive of an ended job: one tar with all images by index, and their manifest.

The archive is not stored. Its bytes are computed from the stored images and are always the same. A reader may
begin at any byte, because the sizes of all files are known before their bytes are read. In the archive's
manifest, the fields that say where the store keeps an image are blank. Deleted images only have a line there.
"""

import hashlib
import re
import tarfile
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from prodgen.errors import Unavailable
from prodgen.jobs.delivery import CHUNK, lines_of, newest_of, replacements
from prodgen.jobs.manifests import Manifest, deleted_images, folder_of, is_image_of, published_whole
from prodgen.jobs.record import JobRecord
from prodgen.spec.manifest import ManifestLine, read_lines, write_lines
from prodgen.spec.order import CELL
from prodgen.storage import keys
from prodgen.storage.base import THREADS, ObjectInfo, Store, in_threads

BLOCK = tarfile.BLOCKSIZE
_BATCH = 2 * THREADS
"""The most images in memory at once, if each is an object of its own."""
_FIRST_LINE = 4096
"""Bytes that are read at once to find the first line of a manifest."""
_PLACE = re.compile(rb', ?"object": ?"[^"]*"(?:, ?"offset": ?\d+)?(?:, ?"length": ?\d+)?')


_NO_PLACE = {"object": None, "offset": None, "length": None}


class _Part(NamedTuple):
    """The images of one lease: bytes [start, end) of the archive. ``text``: the bytes of their manifest."""

    manifest: Manifest
    start: int
    end: int
    text: int


class _Change(NamedTuple):
    """A rejected image ``old``, its newest replacement ``new``, and the folder of the lease of ``old``."""

    folder: str
    old: ManifestLine
    new: ManifestLine


class _Member(NamedTuple):
    """An image in the archive: its first byte and its name.

    ``key``, ``offset`` and ``length`` say where the store has the image.
    """

    start: int
    name: str
    key: str
    offset: int
    length: int


class Archive:
    """The archive of an ended job, of ``size`` bytes. Raises Unavailable if a manifest cannot be read.

    With ``newest``, the archive has the newest replacement in the place of each rejected image. Two archives
    with different bytes have different values of ``tag``.
    """

    def __init__(self, store: Store, record: JobRecord, newest: bool = False) -> None:
        self._store, self._record = store, record
        self._header = (3 if record.items else 1) * BLOCK  # a name with a SKU may be too long for one block
        manifests = sorted(published_whole(store, record))
        changes, deleted = [*self._changes(manifests)] if newest else [], deleted_images(store, record)
        self._newest = {change.old.index: change.new for change in changes}
        self._gone = sorted(deleted - self._newest.keys())
        self._indices = sorted(self._newest.keys() | deleted)
        alone = {change.old.object or "" for change in changes if change.old.length is None}
        self._lengths = dict[str, int]()  # of rejected images and their replacements that are objects
        if record.packaging == "tar":
            befores = in_threads(self._before, manifests)
            sizes = {
                m.folder: _padded(m.packed) - m.images * before
                for m, before in zip(manifests, befores, strict=True)
            }
        else:
            sizes = defaultdict(int)
            for info in self._files():
                if not is_image_of(info.key, deleted):
                    sizes[folder_of(info.key)] += _padded(info.size)
                    if info.key in alone:
                        self._lengths[info.key] = info.size
        objects = [line.object or "" for line in self._newest.values() if line.length is None]
        stats = in_threads(store.stat, objects)
        self._lengths |= {key: info.size for key, info in zip(objects, stats, strict=True)}
        for folder, old, new in changes:
            before = 0 if old.index in deleted else _padded(self._length(old))
            sizes[folder] += _padded(self._length(new)) - before
        self._parts, end = list[_Part](), 0
        for manifest in manifests:
            members = manifest.images - _count_in(manifest, self._gone)
            start, end = end, end + members * self._header + sizes[manifest.folder]
            text = len(self._text(manifest)) if _count_in(manifest, self._indices) else manifest.size
            self._parts.append(_Part(manifest, start, end, text))
        self._images, self._lines = end, sum(part.text for part in self._parts)
        self.size = self._images + BLOCK + _padded(self._lines) + 2 * BLOCK
        digests = "".join(f"{index}:{line.sha256}" for index, line in self._newest.items())
        digests += "".join(f"{index}:deleted" for index in self._gone)
        self.tag = f"{record.id}-{self.size}"
        if digests:
            self.tag += f"-{hashlib.sha256(digests.encode()).hexdigest()[:16]}"

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes [start, stop) in pieces of about a MiB."""
        buffer = bytearray()
        for position, data in self._pieces(start, stop):
            buffer += data[max(0, start - position) : max(0, stop - position)]
            if len(buffer) >= CHUNK:
                yield bytes(buffer)
                buffer.clear()
        yield bytes(buffer)

    def _changes(self, manifests: Sequence[Manifest]) -> Iterator[_Change]:
        """Yield each rejected image that has a finished replacement, with the newest, by index."""
        replaced = replacements(self._store, self._record)
        newest_for = newest_of(self._store, self._record, replaced)
        indices = sorted(replaced)
        for manifest in manifests:
            for line in self._stored(manifest) if _count_in(manifest, indices) else ():
                newest = newest_for(line)
                if newest is not line:
                    yield _Change(manifest.folder, line, newest)

    def _stored(self, manifest: Manifest) -> Iterator[ManifestLine]:
        return read_lines(lines_of(self._store, manifest.key, manifest.size))

    def _length(self, line: ManifestLine) -> int:
        return self._lengths[line.object or ""] if line.length is None else line.length

    def _text(self, manifest: Manifest) -> bytes:
        """Return the manifest of a lease as the archive has it: without the places of images in the store."""
        if _count_in(manifest, self._indices):
            lines = (self._newest.get(line.index, line) for line in self._stored(manifest))
            gone = set(self._gone)
            return write_lines(
                line.model_copy(update=_NO_PLACE | ({"deleted": True} if line.index in gone else {}))
                for line in lines
            )
        return _PLACE.sub(lambda place: b" " * len(place[0]), self._store.get(manifest.key))

    def _before(self, manifest: Manifest) -> int:
        """Return how many bytes stand before each image of a lease in its stored tar.

        These are the header and, in a webdataset shard, the image's manifest line.
        """
        if self._record.spec.output.packaging != "webdataset":
            return BLOCK
        first = next(read_lines(lines_of(self._store, manifest.key, manifest.size, chunk=_FIRST_LINE)))
        return first.offset or 0

    def _pieces(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, bytes) of pieces of the archive, in order. Together they include [start, stop)."""
        load = self._load_files if self._record.packaging == "files" else self._load_tar
        for part in self._parts:
            if part.start < stop and part.end > start:
                for member, data in load(self._members(part, start, stop)):
                    if len(data) != member.length:
                        raise Unavailable(f"{member.name} of job {self._record.id} is not whole in the store")
                    head = self._head(member.name, len(data), extended=self._header > BLOCK)
                    yield member.start, head + data + bytes(-len(data) % BLOCK)
        yield self._images, self._head("manifest.jsonl", self._lines)
        position = self._images + BLOCK
        for part in self._parts:
            if position < stop and position + part.text > start:
                yield position, self._text(part.manifest)
            position += part.text
        yield position, bytes(self.size - position)

    def _members(self, part: _Part, start: int, stop: int) -> Iterator[_Member]:
        """Yield the images of a part that overlap the bytes [start, stop) of the archive."""
        manifest, position = part.manifest, part.start
        files = self._files(manifest.folder) if self._record.packaging == "files" else ()
        sizes = {info.key: info.size for info in files}
        gone = set(self._gone)
        for stored in self._stored(manifest):
            if stored.index in gone:
                continue
            line = self._newest.get(stored.index, stored)
            key = line.object or ""
            length = self._length(line) if line is not stored else stored.length
            length = sizes.get(key, 0) if length is None else length
            member = _Member(position, line.file, key, line.offset or 0, length)
            position += self._header + _padded(length)
            if position > start and member.start < stop:
                yield member

    def _load_tar(self, members: Iterator[_Member]) -> Iterator[tuple[_Member, bytes]]:
        """Yield each image with its bytes. Reads chunks, because successive images are mostly in one tar."""
        key, held, begin = "", b"", 0
        for member in members:
            end = member.offset + member.length
            if member.key != key or not begin <= member.offset <= end <= begin + len(held):
                key, begin = member.key, member.offset
                held = self._store.get(member.key, begin, max(CHUNK, member.length))
            yield member, held[member.offset - begin : end - begin]

    def _load_files(self, members: Iterator[_Member]) -> Iterator[tuple[_Member, bytes]]:
        """Yield each image with its bytes. Each image is an object of its own. Reads several in parallel."""
        with ThreadPoolExecutor(THREADS) as pool:
            while batch := list(islice(members, _BATCH)):
                yield from zip(
                    batch, pool.map(lambda member: self._store.get(member.key), batch), strict=True
                )

    def _files(self, folder: str = "") -> Iterator[ObjectInfo]:
        """Yield the images that are objects of their own, of the lease ``folder``, or by default of all."""
        prefix = keys.job(self._record.tenant, self._record.id, "cells", folder and f"{folder}/")
        return (info for info in self._store.list(prefix) if not info.key.endswith((".jsonl", ".tar")))

    def _head(self, name: str, size: int, extended: bool = False) -> bytes:
        """Return the header of a member of the tar: one block, or three blocks if ``extended``."""
        member = tarfile.TarInfo(name)
        member.size, member.mtime = size, int(self._record.created.timestamp())
        if extended:
            member.pax_headers = {"path": name}
        return member.tobuf(tarfile.PAX_FORMAT if extended else tarfile.GNU_FORMAT, "utf-8")


def _count_in(manifest: Manifest, indices: Sequence[int]) -> int:
    """Return how many of the sorted ``indices`` are of images that the manifest lists."""
    first = manifest.first * CELL
    return bisect_left(indices, first + manifest.images) - bisect_left(indices, first)


def _padded(size: int) -> int:
    return size + -size % BLOCK
