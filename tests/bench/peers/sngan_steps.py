"""The pace of torch-mimicry's training step: for each line on stdin, seconds, it trains for so long.

It answers each with a line: the samples a second. A step is one of each network, of the same batch.
"""

import sys
import time

import torch
from mimicry import BATCH, SIDE, networks, optimizers
from torch_mimicry.training.metric_log import MetricLog

CLASSES = 10


def main() -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    generator, discriminator = networks(CLASSES, device)
    d_optimizer, g_optimizer = optimizers(discriminator, generator)
    images = torch.rand(BATCH, 3, SIDE, SIDE, device=device).mul(2).sub(1)
    batch = images, torch.randint(CLASSES, (BATCH,), device=device)

    def step() -> None:
        common = {"real_batch": batch, "log_data": MetricLog(), "device": torch.device(device)}
        discriminator.train_step(netG=generator, optD=d_optimizer, **common)
        generator.train_step(netD=discriminator, optG=g_optimizer, **common)
        if device == "cuda":
            torch.cuda.synchronize()

    step()
    for line in sys.stdin:
        start, steps = time.perf_counter(), 0
        while time.perf_counter() - start < float(line):
            step()
            steps += 1
        print(steps * BATCH / (time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main()
