"""Measure how removing noise harms clean photographs: ``python -m tests.bench.denoise FOLDER``.

Prints mean signal-to-noise ratios in dB (PSNR) of simulated noise, and after OpenCV's non-local means at its
best of four strengths. The noise is that of a sensor: shot and read noise in linear light, blurred as by a
camera that interpolates colours, and compressed as JPEG.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

COUNT, LEVELS, STRENGTHS = 24, (0, 4, 8, 16), (0.5, 1, 1.5, 2)


def noisy(rgb: NDArray[np.uint8], level: float, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return a photograph (H, W, 3) with noise whose deviation is about ``level`` of 255."""
    linear = (rgb / 255.0) ** 2.2
    grey = random.uniform(0, 0.7) * random.normal(size=(*rgb.shape[:2], 1))
    noise = cv2.GaussianBlur(random.normal(size=linear.shape) + grey, (0, 0), random.uniform(0.3, 1.0))
    noise *= level / 255 / noise.std()
    seen = (linear + noise * np.sqrt(linear + 0.01)).clip(0, 1) ** (1 / 2.2)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(80, 99))]
    return cv2.imdecode(cv2.imencode(".jpg", (seen * 255).round().astype(np.uint8), quality)[1], 1)


def main(folder: Path) -> None:
    """Print a line for each level of noise."""
    random = np.random.default_rng(1)
    files = random.choice(sorted(folder.rglob("*.jpg")), COUNT, replace=False)
    for level in LEVELS:
        before, after = [], []
        for file in files:
            clean = cv2.imread(str(file))
            other = noisy(clean, level, random)
            strengths = (factor * float((other.astype(float) - clean).std()) for factor in STRENGTHS)
            made = (cv2.fastNlMeansDenoisingColored(other, None, h, h, 7, 21) for h in strengths)
            before.append(cv2.PSNR(other, clean))
            after.append([cv2.PSNR(picture, clean) for picture in made])
        best = np.mean(after, 0).max()
        print(f"level {level}: noisy {np.mean(before):.1f} dB, non-local means {best:.1f} dB", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
