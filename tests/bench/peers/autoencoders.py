"""pythae's VAE and VAE-GAN, as a script for an environment that holds pythae: it knows nothing of prodgen.

``python autoencoders.py vae TRAIN.npz OUT.npz --samples N --count N``: TRAIN holds ``images`` (M, H, W, C) of
bytes; OUT gets ``images`` of the same kind and ``seconds`` of training.
"""

import argparse
import tempfile
import time

import numpy as np
import torch
from pythae.data.datasets import BaseDataset, DatasetOutput
from pythae.models import VAE, VAEGAN, BaseAE, VAEConfig, VAEGANConfig
from pythae.pipelines import TrainingPipeline
from pythae.samplers import NormalSampler
from pythae.trainers import BaseTrainerConfig, CoupledOptimizerAdversarialTrainerConfig
from torch import Tensor

LATENT, BATCH, RATE = 16, 64, 1e-3


class Repeated(BaseDataset):
    """Images (M, C, H, W) that begin again until they are ``samples``, so that one epoch is all training."""

    def __init__(self, images: Tensor, samples: int) -> None:
        super().__init__(images, torch.zeros(len(images)))
        self.samples = samples

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> DatasetOutput:
        if index >= self.samples:
            raise IndexError(index)
        return super().__getitem__(index % len(self.data))


def plain(shape: tuple[int, ...]) -> tuple[BaseAE, type[BaseTrainerConfig], dict[str, object]]:
    """pythae's defaults: a perceptron on either side."""
    return VAE(VAEConfig(input_dim=shape, latent_dim=LATENT)), BaseTrainerConfig, {"learning_rate": RATE}


def adversarial(shape: tuple[int, ...]) -> tuple[BaseAE, type[BaseTrainerConfig], dict[str, object]]:
    """Perceptrons too; errors are those of the discriminator's hidden layer, as in Larsen et al. 2016.

    pythae's default, its last layer, would be a single number.
    """
    config = VAEGANConfig(input_dim=shape, latent_dim=LATENT, reconstruction_layer=1)
    rates = {f"{part}_learning_rate": RATE for part in ("encoder", "decoder", "discriminator")}
    return VAEGAN(config), CoupledOptimizerAdversarialTrainerConfig, rates


MODELS = {"vae": plain, "vaegan": adversarial}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("train")
    parser.add_argument("out")
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    given = parser.parse_args()
    images = torch.from_numpy(np.load(given.train)["images"]).permute(0, 3, 1, 2).float().div(255)
    model, config, rates = MODELS[given.model](tuple(images.shape[1:]))
    with tempfile.TemporaryDirectory() as folder:
        options = config(
            output_dir=folder,
            num_epochs=1,
            per_device_train_batch_size=BATCH,
            keep_best_on_train=True,  # of one epoch: the last
            **rates,
        )
        start = time.perf_counter()
        TrainingPipeline(model, options)(Repeated(images, given.samples))
        seconds = time.perf_counter() - start
    made = NormalSampler(model.eval()).sample(num_samples=given.count, batch_size=500)
    pixels = made.clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1)
    np.savez(given.out, images=pixels.cpu().numpy(), seconds=seconds)


if __name__ == "__main__":
    main()
