"""An object store in memory that can be interrupted before any of its calls."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from prodgen.errors import NotFound
from prodgen.storage.base import ObjectInfo

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class MemoryStore:
    """`before` is called with the method's name and its key; what it raises, the caller sees."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.before: Callable[[str, str], None] = lambda method, key: None

    def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        self.before("put", key)
        self.objects[key] = data

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> None:
        self.put(key, path.read_bytes())

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        self.before("get", key)
        if key not in self.objects:
            raise NotFound(f"there is no object {key}")
        return self.objects[key][offset : None if length is None else offset + length]

    def stat(self, key: str) -> ObjectInfo:
        return ObjectInfo(key, len(self.get(key)), LONG_AGO)

    def list(self, prefix: str, after: str = "") -> Iterator[ObjectInfo]:
        self.before("list", prefix)
        found = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        for key in found:
            if key in self.objects:
                yield ObjectInfo(key, len(self.objects[key]), LONG_AGO)

    def names(self, prefix: str) -> Iterator[str]:
        parts = (info.key.removeprefix(prefix).partition("/") for info in self.list(prefix))
        yield from dict.fromkeys(name + slash for name, slash, _ in parts)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.before("delete", key)
            self.objects.pop(key, None)

    def link(self, key: str, seconds: int, file_name: str) -> str:
        return f"memory:{key}"

    def check(self) -> None:
        pass
