"""A training run: from a recipe and a catalogue to a model folder."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import ProdgenError
from prodgen.evaluation.classifier import DomainClassifier, judge, to_tensor, train_classifier
from prodgen.evaluation.frechet import frechet_distance
from prodgen.models.resnet import ResNetDiscriminator, ResNetGenerator
from prodgen.training import checkpoint
from prodgen.training.augment import DiffAugment
from prodgen.training.ema import Ema
from prodgen.training.gan import Game
from prodgen.training.recipe import Recipe

EVALUATED = 5000
"""Generated images of one evaluation."""
ADJUSTABLE = ("steps", "evaluate_every", "checkpoint_every")
"""What a recipe may say otherwise when a run is resumed."""


class Run:
    """One run, in its folder: ``checkpoint.safetensors``, ``best.safetensors``, ``metrics.jsonl``."""

    def __init__(self, recipe: Recipe, catalogue: Catalogue, folder: Path, device: str) -> None:
        if len(catalogue) < recipe.batch:
            raise ProdgenError(
                f"the data holds {len(catalogue)} images, fewer than a batch of {recipe.batch}"
            )
        folder.mkdir(parents=True, exist_ok=True)
        self.recipe, self.folder, self.device, self.step = recipe, folder, device, 0
        self.best = float("inf")
        torch.manual_seed(recipe.seed)
        self.images = torch.from_numpy(catalogue.images)
        self.conditions = torch.from_numpy(catalogue.hot())
        self.catalogue = catalogue
        size, channels = self.images.shape[1], self.images.shape[3]
        try:
            generator = ResNetGenerator(
                attributes=catalogue.schema(),
                size=size,
                channels=channels,
                latent_dim=recipe.latent_dim,
                widths=recipe.widths,
                ground=recipe.ground,
            )
        except ValueError as error:
            raise ProdgenError(f"recipe {recipe.name}: widths do not fit the data: {error}") from None
        discriminator = ResNetDiscriminator(self.conditions.shape[1], channels, recipe.widths)
        generator, discriminator = (
            m.to(device, memory_format=torch.channels_last) for m in (generator, discriminator)
        )
        self.game = Game(
            generator,
            discriminator,
            torch.optim.Adam(generator.parameters(), recipe.generator_lr, recipe.betas),
            torch.optim.Adam(discriminator.parameters(), recipe.discriminator_lr, recipe.betas),
            DiffAugment(recipe.augment),
            recipe.clip,
        )
        self.ema = Ema(generator, recipe.ema)

    def advance(self) -> dict[str, float]:
        """One step of the discriminator and one of the generator -> their losses."""
        self._set_rates()
        rows = self._rows(self.step)
        real = to_tensor(self.images[rows]).to(self.device, memory_format=torch.channels_last)
        condition = self.conditions[rows].to(self.device)
        d_loss = self.game.discriminator_step(real, condition, self._latents(len(rows)))
        g_loss = self.game.generator_step(condition, self._latents(len(rows)))
        self.ema.update(self.game.generator, self.step)
        self.step += 1
        return {"discriminator": float(d_loss), "generator": float(g_loss)}

    def _rows(self, step: int) -> Tensor:
        """The rows of the batch of ``step``: every epoch a new order that is a function of the seed."""
        per_epoch = len(self.images) // self.recipe.batch
        epoch, position = divmod(step, per_epoch)
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(self.images))
        return torch.from_numpy(order[position * self.recipe.batch : (position + 1) * self.recipe.batch])

    def _latents(self, count: int) -> Tensor:
        return torch.randn(count, self.recipe.latent_dim, device=self.device)

    def _set_rates(self) -> None:
        remaining = (self.recipe.steps - self.step) / max(1.0, self.recipe.steps * self.recipe.decay)
        factor = min(1.0, remaining)
        for optimizer, rate in (
            (self.game.generator_optimizer, self.recipe.generator_lr),
            (self.game.discriminator_optimizer, self.recipe.discriminator_lr),
        ):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        game = self.game
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "step": self.step,
            "best": self.best,
            "generator": game.generator.state_dict(),
            "discriminator": game.discriminator.state_dict(),
            "ema": self.ema.model.state_dict(),
            "generator_optimizer": game.generator_optimizer.state_dict(),
            "discriminator_optimizer": game.discriminator_optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "device_random": torch.cuda.get_rng_state(self.device) if self._on_cuda else None,
        }

    def save(self) -> None:
        """Write the checkpoint that `resume` reads."""
        checkpoint.save(self.folder / "checkpoint.safetensors", self.state())

    def resume(self) -> bool:
        """Go on from the folder's checkpoint, if there is one.

        Raises ProdgenError if it cannot be read, or was made under a recipe that would give other numbers.
        """
        path = self.folder / "checkpoint.safetensors"
        if not path.exists():
            return False
        state = checkpoint.load(path)
        self._refuse_another(state.get("recipe"), path)
        game = self.game
        try:
            for key, part in (
                ("generator", game.generator),
                ("discriminator", game.discriminator),
                ("ema", self.ema.model),
                ("generator_optimizer", game.generator_optimizer),
                ("discriminator_optimizer", game.discriminator_optimizer),
            ):
                part.load_state_dict(state[key])
            self.step, self.best = int(state["step"]), float(state["best"])
            torch.set_rng_state(state["random"])
            if self._on_cuda and state.get("device_random") is not None:
                torch.cuda.set_rng_state(state["device_random"], self.device)
        except (KeyError, TypeError, RuntimeError, ValueError):
            raise ProdgenError(f"{path} belongs to a run of another recipe: its networks differ") from None
        return True

    @property
    def _on_cuda(self) -> bool:
        return torch.device(self.device).type == "cuda"

    def _refuse_another(self, recipe: dict[str, Any] | None, path: Path) -> None:
        mine = self.recipe.model_dump(mode="json")
        for key, value in (recipe or {}).items():
            if key not in ADJUSTABLE and value != mine.get(key):
                raise ProdgenError(
                    f"{path} was made with {key} = {value}, not {mine.get(key)}; "
                    "resume it with the same, or train in another folder",
                    param=key,
                )

    @property
    def is_evaluated(self) -> bool:
        """Whether there is a best step to export."""
        return (self.folder / "best.safetensors").exists()

    def train(self, report: Callable[[int, dict[str, float]], None], stopping: Callable[[], bool]) -> None:
        """Go on to the recipe's last step, or until ``stopping()``; ``report`` hears of every step."""
        judge_scores = Judge(self.catalogue, self.folder, self.device)
        while self.step < self.recipe.steps and not stopping():
            numbers = self.advance()
            if self.step % self.recipe.evaluate_every == 0 or self.step == self.recipe.steps:
                numbers |= self._evaluate(judge_scores)
            if self.step % self.recipe.checkpoint_every == 0:
                self.save()
            report(self.step, numbers)
        self.save()

    def _evaluate(self, scores: "Judge") -> dict[str, float]:
        with torch.random.fork_rng():
            torch.manual_seed(self.recipe.seed + 1)
            rows = torch.randint(len(self.images), (EVALUATED,))
            conditions = self.conditions[rows].to(self.device)
            self.ema.settle(self._latents(EVALUATED), conditions, 100)
            numbers = scores(self.ema.model, self._latents(EVALUATED), conditions)
        line = {"step": self.step, "images": self.step * self.recipe.batch, "time": time.time(), **numbers}
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        if numbers["domain_fid"] < self.best:
            self.best = numbers["domain_fid"]
            checkpoint.save(self.folder / "best.safetensors", {"step": self.step, **self._exported()})
        return numbers

    def _exported(self) -> dict[str, Any]:
        return {"model": self.ema.model.state_dict()}


class Judge:
    """Scores a generator by a classifier trained on the catalogue, and kept in the run's folder."""

    def __init__(self, catalogue: Catalogue, folder: Path, device: str) -> None:
        self.attribute = next(iter(catalogue.values))
        path = folder / "classifier.safetensors"
        if path.exists():
            self.classifier = DomainClassifier(
                catalogue.images.shape[3], len(catalogue.values[self.attribute])
            )
            try:
                self.classifier.load_state_dict(checkpoint.load(path)["classifier"])
            except (KeyError, RuntimeError):
                raise ProdgenError(f"{path} belongs to another catalogue; train in another folder") from None
            self.classifier.to(device).eval()
        else:
            self.classifier = train_classifier(catalogue, self.attribute, device=device)
            checkpoint.save(path, {"classifier": self.classifier.state_dict()})
        rows = np.random.default_rng(0).permutation(len(catalogue))[: 2 * EVALUATED]
        real = to_tensor(torch.from_numpy(catalogue.images[rows])).to(device)
        self.real, _ = judge(self.classifier, real)

    @torch.inference_mode()
    def __call__(self, generator: torch.nn.Module, latents: Tensor, conditions: Tensor) -> dict[str, float]:
        """latents: (N, latent_dim); conditions: (N, D) -> the domain FID and the agreement of the classes."""
        fakes = [generator(z, c) for z, c in zip(latents.split(100), conditions.split(100), strict=True)]
        features, predicted = judge(self.classifier, torch.cat(fakes))
        asked = conditions[:, : self.classifier.head.out_features].argmax(1)
        return {
            "domain_fid": frechet_distance(features, self.real),
            "agreement": float((predicted == asked).float().mean()),
        }
