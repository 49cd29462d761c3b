"""Random numbers that are pure functions of (seed, index), so that any image can be made again.

Philox (Salmon et al. 2011) maps a counter to random bits under a key, so the numbers of image 900,000 cost no
more than those of image 0 and do not depend on the batch, the worker or a restart. The further computation
uses only additions, multiplications, divisions and square roots, which round the same way on every machine
(IEEE 754); ``log`` and ``cos`` do not.
"""

from collections.abc import Iterator, Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

MAX_SEED = 2**53 - 1  # the greatest integer that every JSON reader keeps exactly


class Stream(IntEnum):
    """The purpose of random numbers. Two streams of the same seed have different numbers."""

    LATENT = 0
    ATTRIBUTES = 1
    AUGMENTATION = 2


def uniforms(
    seeds: Sequence[int], indices: Sequence[int], width: int, stream: Stream, attempts: Sequence[int]
) -> Float64:
    """Return independent uniform numbers in the open interval (0, 1), shape (len(indices), width).

    Row ``i`` depends only on ``seeds[i]``, ``indices[i]``, ``attempts[i]``, ``stream`` and ``width``.
    """
    blocks = -(-width // 4)
    words = np.empty((len(indices), blocks * 4), dtype=np.uint64)
    generator = np.random.Philox(key=0)
    state = generator.state  # to set it takes a fifth of the time of a new generator
    for start, stop in _consecutive_ranges(seeds, indices, attempts):
        counter = np.array([indices[start] * blocks, 0, stream, attempts[start]], dtype=np.uint64)
        state["state"] = {"counter": counter, "key": np.array([seeds[start], 0], dtype=np.uint64)}
        generator.state = state
        words[start:stop] = generator.random_raw((stop - start) * blocks * 4).reshape(stop - start, -1)
    uniform: Float64 = ((words[:, :width] >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    return uniform


def normals(
    seeds: Sequence[int], indices: Sequence[int], width: int, stream: Stream, attempts: Sequence[int]
) -> Float64:
    """Return independent standard normal numbers (len(indices), width). Arguments as for `uniforms`."""
    return inverse_normal(uniforms(seeds, indices, width, stream, attempts))


def _consecutive_ranges(
    seeds: Sequence[int], indices: Sequence[int], attempts: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Yield the longest ranges (start, stop) with the same seed, the same attempt and consecutive indices."""
    start = 0
    for i in range(1, len(indices) + 1):
        if (
            i == len(indices)
            or seeds[i] != seeds[start]
            or attempts[i] != attempts[start]
            or indices[i] != indices[i - 1] + 1
        ):
            yield start, i
            start = i


# Coefficients of AS 241 (Wichura 1988, PPND16), numerator and denominator, highest power first.
_CENTRE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
     1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
     5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)  # fmt: skip
_TAIL = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
     1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
     4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
     1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
     2.05319162663775882187e0, 1.0),
)  # fmt: skip
_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
     2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
     5.46378491116411436990e0, 6.65790464350110377720e0),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
     7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
     5.99832206555887937690e-1, 1.0),
)  # fmt: skip


def inverse_normal(p: Float64) -> Float64:
    """Return the standard normal quantile of ``p`` in (0, 1), any shape, to about one part in 10^16."""
    q = p - 0.5
    value = q * _ratio(_CENTRE, 0.180625 - q * q)
    outer = np.abs(q) > 0.425
    tail = np.minimum(p[outer], 1.0 - p[outer])
    r = np.sqrt(-_log(tail))
    magnitude = np.where(r <= 5.0, _ratio(_TAIL, r - 1.6), _ratio(_FAR, r - 5.0))
    value[outer] = np.where(q[outer] < 0, -magnitude, magnitude)
    return value


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Float64) -> Float64:
    return _horner(coefficients[0], x) / _horner(coefficients[1], x)


def _horner(coefficients: Sequence[float], x: Float64) -> Float64:
    value = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        value *= x
        value += c
    return value


def _log(x: Float64) -> Float64:
    """Return the natural logarithm of ``x``, bit for bit the same on every machine.

    The logarithm of the mantissa m is the series 2 (s + s^3/3 + s^5/5 + …) with s = (m - 1) / (m + 1).
    """
    mantissa, exponent = np.frexp(x)
    low = mantissa < 0.5**0.5
    mantissa = np.where(low, mantissa * 2.0, mantissa)
    exponent = np.where(low, exponent - 1, exponent)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    series = _horner([1.0 / k for k in range(23, 0, -2)], s * s)
    return exponent * 0.6931471805599453 + 2.0 * s * series
