"""torch-mimicry's SNGAN with projection, as a script for an environment that holds it, but not prodgen.

``python sngan.py TRAIN.npz OUT.npz --samples N --count N``: TRAIN holds ``images`` (M, H, W, C) of bytes and
``labels`` (M,); OUT gets ``images`` and ``labels`` of the same kind and ``seconds`` of training.
"""

import argparse
import tempfile
import time

import numpy as np
import torch
from mimicry import BATCH, as_it_wants, as_it_was, networks, optimizers
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torch_mimicry.training import Trainer

DISCRIMINATOR_STEPS = 5
"""For one of the generator, as published."""


def train(images: Tensor, labels: Tensor, samples: int, device: str) -> nn.Module:
    """Images (M, 3, 32, 32) and labels (M,) -> the generator, after ``samples`` real images."""
    generator, discriminator = networks(int(labels.max()) + 1, device)
    d_optimizer, g_optimizer = optimizers(discriminator, generator)
    steps = samples // (BATCH * DISCRIMINATOR_STEPS)
    with tempfile.TemporaryDirectory() as folder:
        Trainer(
            netD=discriminator,
            netG=generator,
            optD=d_optimizer,
            optG=g_optimizer,
            dataloader=DataLoader(TensorDataset(images, labels), BATCH, shuffle=True, drop_last=True),
            num_steps=steps,
            n_dis=DISCRIMINATOR_STEPS,
            lr_decay="linear",
            log_dir=folder,
            device=torch.device(device),
            print_steps=50,
            vis_steps=steps + 1,
            save_steps=steps + 1,
        ).train()
    return generator.eval()


@torch.inference_mode()
def draw(generator: nn.Module, labels: Tensor) -> Tensor:
    """Labels (N,) -> images (N, 3, 32, 32)."""
    batches = labels.split(250)
    noise = (torch.randn(len(asked), generator.nz, device=asked.device) for asked in batches)
    return torch.cat([generator(z, asked) for z, asked in zip(noise, batches, strict=True)])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("train")
    parser.add_argument("out")
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    given = parser.parse_args()
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = np.load(given.train)
    labels = torch.from_numpy(data["labels"])
    images = torch.from_numpy(data["images"])
    start = time.perf_counter()
    generator = train(as_it_wants(images), labels, given.samples, device)
    seconds = time.perf_counter() - start
    asked = labels[torch.randint(len(labels), (given.count,))]
    made = as_it_was(draw(generator, asked.to(device)).cpu(), *images.shape[2:])
    np.savez(given.out, images=made.numpy(), labels=asked.numpy(), seconds=seconds)


if __name__ == "__main__":
    main()
