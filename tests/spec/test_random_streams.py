"""Random numbers never change, so an image that was ordered once can be made again."""

from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prodgen.spec.random_streams import MAX_SEED, Stream, inverse_normal, normals, uniforms

MASK = 2**64 - 1


def philox(counter: list[int], key: int) -> list[int]:
    """Philox4x64-10, written from the paper (Salmon et al. 2011)."""
    a, b, c, d = counter
    k0, k1 = key & MASK, key >> 64
    for _ in range(10):
        high0, low0 = divmod(0xD2E7470EE14C6C93 * a, 2**64)
        high1, low1 = divmod(0xCA5A826395121157 * c, 2**64)
        a, b, c, d = high1 ^ b ^ k0, low1, high0 ^ d ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return [a, b, c, d]


def reference(seed: int, index: int, width: int, stream: int, attempt: int) -> list[float]:
    """Compute a row of `uniforms`, one block of four at a time."""
    blocks = -(-width // 4)
    words: list[int] = []
    for block in range(blocks):
        words += philox([index * blocks + block + 1, 0, stream, attempt], seed)
    return [((word >> 12) + 0.5) * 2.0**-52 for word in words[:width]]


def test_the_reference_is_philox():
    # From the known answers of Random123.
    assert philox([0, 0, 0, 0], 0) == [
        0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B,
    ]  # fmt: skip


@pytest.mark.parametrize("seed", [0, 7, MAX_SEED])
@pytest.mark.parametrize("index", [0, 1, 900_000, 9_999_999])
@pytest.mark.parametrize("stream", Stream)
def test_a_row_is_the_block_of_its_index(seed: int, index: int, stream: Stream):
    for width in (1, 4, 5, 128):
        for attempt in (0, 3):
            assert uniforms([seed], [index], width, stream, [attempt]).tolist() == [
                reference(seed, index, width, stream, attempt)
            ]


def test_no_update_of_numpy_changes_the_uniforms():
    rows = uniforms([7, 7, 0, MAX_SEED], [0, 1, 900_000, 3], 5, Stream.LATENT, [0, 0, 0, 2])
    assert [[value.hex() for value in row] for row in rows.tolist()] == [
        ["0x1.be80697053d3fp-1", "0x1.2e744337e3992p-2", "0x1.ae2e15f941aaap-2", "0x1.9f1f2516c6e9ap-2",
         "0x1.5352da77ecee8p-4"],
        ["0x1.ce47ef2d93840p-7", "0x1.92dfc98dcd9cfp-1", "0x1.abb311597d2c3p-1", "0x1.10f34e001019fp-1",
         "0x1.c4a9503cd2696p-2"],
        ["0x1.0ced1e1798e25p-1", "0x1.225453e9568a9p-1", "0x1.cab5f7d5aa2dfp-1", "0x1.f060299def08ap-2",
         "0x1.beb9dd3d75181p-1"],
        ["0x1.d2aa5039743f2p-2", "0x1.fb1b60f556062p-2", "0x1.900d68088e690p-5", "0x1.a153e701d8ee9p-1",
         "0x1.318606a35ca62p-2"],
    ]  # fmt: skip


def test_no_update_of_numpy_changes_the_normals():
    rows = normals([7, 7, 0, MAX_SEED], [0, 1, 900_000, 3], 3, Stream.LATENT, [0, 0, 0, 2])
    assert [[value.hex() for value in row] for row in rows.tolist()] == [
        ["0x1.22e119f4c4f13p+0", "-0x1.13578de716137p-1", "-0x1.9cf751ecde01bp-3"],
        ["-0x1.62de1a82988fcp+0", "0x1.078c187aa266ep-1", "-0x1.11df233088e55p-1"],
        ["0x1.ff5b02971f9a9p-2", "-0x1.7b167d5aeadf9p-3", "-0x1.0ad7e51cc55ebp-2"],
        ["-0x1.c1d7bf93c800dp-2", "-0x1.d38d8b0260242p-1", "-0x1.ae8eaf7f8d01fp+0"],
    ]


rows = st.tuples(st.sampled_from([0, 1, 7, MAX_SEED]), st.integers(0, 30), st.sampled_from([0, 1, 5]))


@settings(max_examples=60)
@given(asked=st.lists(rows, min_size=1, max_size=40), width=st.integers(1, 9))
def test_the_numbers_of_an_image_do_not_depend_on_its_batch(asked, width):
    seeds, indices, attempts = (list(column) for column in zip(*asked, strict=True))
    together = uniforms(seeds, indices, width, Stream.LATENT, attempts)
    alone = [uniforms([s], [i], width, Stream.LATENT, [a])[0] for s, i, a in asked]
    assert np.array_equal(together, alone)


@settings(max_examples=30)
@given(cuts=st.lists(st.integers(0, 200), max_size=6))
def test_an_order_is_the_same_however_its_range_is_cut(cuts):
    whole = normals([7] * 200, range(200), 6, Stream.LATENT, [0] * 200)
    edges = sorted({0, 200, *cuts})
    parts = [
        normals([7] * (stop - start), range(start, stop), 6, Stream.LATENT, [0] * (stop - start))
        for start, stop in pairwise(edges)
    ]
    assert np.array_equal(whole, np.concatenate(parts))


def test_streams_attempts_and_seeds_share_no_numbers():
    drawn = [
        uniforms([seed] * 50, range(50), 4, stream, [attempt] * 50)
        for seed in (0, 1)
        for stream in Stream
        for attempt in (0, 1)
    ]
    values = np.concatenate(drawn).ravel()
    assert len(set(values.tolist())) == values.size


def test_no_uniform_is_0_or_1():
    extremes = (np.array([0, MASK], np.uint64) >> np.uint64(12)).astype(np.float64)
    low, high = (extremes + 0.5) * 2.0**-52
    assert 0.0 < low < high < 1.0
    assert np.isfinite(inverse_normal(np.array([low, high]))).all()


def test_latents_are_normal():
    z = normals([3] * 2000, range(2000), 16, Stream.LATENT, [0] * 2000).ravel()
    assert abs(z.mean()) < 0.02
    assert abs(z.std() - 1.0) < 0.02
    expected = [NormalDist().inv_cdf(p) for p in (0.001, 0.1, 0.5, 0.9, 0.999)]
    assert np.quantile(z, [0.001, 0.1, 0.5, 0.9, 0.999]) == pytest.approx(expected, abs=0.15)


def test_the_quantile_is_the_normal_quantile_to_the_last_bits():
    tiny = 10.0 ** -np.arange(0.4, 15.9, 0.05)
    p = np.concatenate([np.linspace(0.0005, 0.9995, 4001), tiny, 1.0 - tiny])
    expected = np.array([NormalDist().inv_cdf(value) for value in p])
    assert inverse_normal(p) == pytest.approx(expected, rel=1e-13, abs=1e-15)


def test_the_quantile_is_symmetric():
    p = np.concatenate([np.arange(1, 512) / 1024.0, 2.0 ** -np.arange(2.0, 50.0)])
    assert np.array_equal(inverse_normal(p), -inverse_normal(1.0 - p))
