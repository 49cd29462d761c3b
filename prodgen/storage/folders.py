"""Walking the store as if it had folders."""

from collections.abc import Iterator

from prodgen.storage.base import Store


def folders(store: Store, prefix: str) -> Iterator[str]:
    """The folders under a prefix, one listing each, whatever they hold."""
    after = ""
    while (info := next(iter(store.list(prefix, after)), None)) is not None:
        name, slash, _ = info.key.removeprefix(prefix).partition("/")
        if slash:
            yield name
        after = prefix + name + ("0" if slash else "")  # "0" is what follows "/"
