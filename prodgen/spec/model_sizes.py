"""Which sizes of image a network's widths can make, readable without the networks."""


def bottom(size: int, widths: list[int]) -> int:
    """The side of the coarsest resolution; raises ValueError if ``size`` cannot be doubled to."""
    side = size >> (len(widths) - 1)
    if not side or side << (len(widths) - 1) != size:
        raise ValueError(f"size {size} is not {len(widths) - 1} doublings of a whole number")
    return side
