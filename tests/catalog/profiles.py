"""Build small colour profiles (ICC version 2), so that no test depends on files of a system."""

import struct

import numpy as np

P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
_D50 = np.array([0.9642, 1.0, 0.8249])
_D65 = np.array([0.3127 / 0.3290, 1.0, (1 - 0.3127 - 0.3290) / 0.3290])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def rgb_profile(primaries: tuple[tuple[float, float], ...], gamma: float = 2.2) -> bytes:
    """Return a profile with these primaries (x, y) and the white D65."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    matrix = columns * np.linalg.solve(columns, _D65)
    gains = (_BRADFORD @ _D50) / (_BRADFORD @ _D65)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD @ matrix
    tags = [(f"{name}XYZ".encode(), _xyz(adapted[:, k])) for k, name in enumerate("rgb")]
    return _profile(b"RGB ", [*tags, *((f"{name}TRC".encode(), _curve(gamma)) for name in "rgb")])


def grey_profile(gamma: float) -> bytes:
    """Return a profile of one channel."""
    return _profile(b"GRAY", [(b"kTRC", _curve(gamma))])


def _profile(space: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    words = b"a test's own\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", len(words)) + words + b"\0" * 78
    tags = [(b"desc", text), (b"cprt", b"text\0\0\0\0own\0"), (b"wtpt", _xyz(_D50)), *tags]
    place, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags:
        padded = data + b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", place + len(body), len(padded))
        body += padded
    size = struct.pack(">I", place + len(body))
    kind = struct.pack(">I4s4s4s", 0x02100000, b"mntr", space, b"XYZ ")
    made = struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp"
    header = size + b"\0\0\0\0" + kind + made + b"\0" * 28 + b"".join(map(_s15, _D50))
    return header.ljust(128, b"\0") + table + body


def _s15(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_s15, values))


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
