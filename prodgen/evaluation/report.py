"""The files of an evaluation: metrics.json, the model card card.md and the pictures."""

import json
from pathlib import Path
from typing import Any

import torch

from prodgen import __version__
from prodgen.catalog.catalogue import digest
from prodgen.evaluation.context import Figure
from prodgen.evaluation.evaluate import Evaluation
from prodgen.evaluation.neighbours import K
from prodgen.models import SavedModel
from prodgen.spec.attributes import Choice

TRAINING = "\n## How it was trained"

PICTURES = {
    "samples.png": "Unselected samples; eight of each value if there are values",
    "colours.png": "One latent in each row, in twelve colours",
    "neighbours.png": "The generated images that are nearest to a training image",
    "interpolation.png": "Interpolation between two latents in each row",
    "reconstructions.png": "Real test images and their reconstructions",
}


def card(evaluation: Evaluation, earlier: str = "") -> str:
    """Return the card in Markdown. ``earlier``: an earlier card of the model.

    Copies the part of ``earlier`` from "How it was trained" to the end.
    """
    context = evaluation.context
    train, test = context.splits.train, context.splits.test
    pictures = "\n\n".join(f"![{PICTURES[n]}]({n})" for n in PICTURES if n in evaluation.pictures)
    _, heading, training = earlier.partition(TRAINING)
    missing = [f"- {reason}." for reason in evaluation.left_out]
    parts = ["\n".join(["Not measured:", *missing])] if missing else []
    sections = "".join(f"{part}\n\n" for part in parts + _class_tables(evaluation.figures))
    return f"""{opening(context.model)}
## Evaluation
*Real* is the same measure of real images in place of the generated ones: training images where sets of
images are compared or train a classifier, test images where a classifier sees them. A perfect model would
score about as much.

{figures_table(evaluation.figures)}

A figure holds for the features, split, counts and resizer beside it. A domain classifier has learned from the
training images and is more certain of them than of new ones, so its figures compare only models of the same
catalogue. Figures of Inception-v3 with the FID weights compare with published figures of the same split and
counts. Precision, recall, density and coverage use the distance to the {K}th nearest neighbour. Real images
of another size than the model's were resized when the data was read (Lanczos).

{sections}
## Pictures
{pictures}

## How to repeat the evaluation
```sh
{command(evaluation)}
```

DIR holds the training split `{digest(train)}` ({len(train):,} images) and the test split `{digest(test)}`
({len(test):,} images). Measured by prodgen {__version__}.
{heading}{training}"""


def opening(model: SavedModel) -> str:
    """Return the first part of a card: what the model is, and its attributes."""
    config = model.config
    parameters = sum(p.numel() for p in model.generator.parameters())
    network = f"{parameters:,} parameters" if parameters else "a network of another program"
    attributes = "\n".join(
        f"- `{a.name}`: {', '.join(a.values) if isinstance(a, Choice) else 'any colour'}"
        for a in config.attributes.attributes
    )
    attributes = attributes or "None: the model generates images like those that it was trained on."
    return f"""# {model.name}

A generator of {config.size}x{config.size} images with {config.channels} channel{"s"[: config.channels > 1]}:
family `{config.family}`, {network}, version `{model.digest}`.

## Attributes
{attributes}
"""


def command(evaluation: Evaluation) -> str:
    """Return the ``prodgen evaluate`` command that repeats the evaluation."""
    options = evaluation.options
    words = ["prodgen evaluate", evaluation.context.model.name, "--data DIR"]
    if options.count is not None:
        words.append(f"--count {options.count}")
    if options.inception_weights is not None:
        words.append(f"--inception-weights {options.inception_weights.name}")
    if options.resized:
        words.append("--resize")
    return " ".join([*words, f"--features {options.features} --seed {options.seed}"])


def figures_table(figures: dict[str, Figure]) -> str:
    """Return a Markdown table of all figures, with the features, images, counts and resizer of each."""
    lines = [
        "| measure | better | generated | real | features | real images | generated images | resizer |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for figure in figures.values():
        spread = "" if figure.std is None else f" ± {number(figure.std)}"
        fewer = "" if figure.stand_in_count is None else f" (of {figure.stand_in_count:,} images)"
        cells = (
            figure.title,
            figure.better,
            number(figure.value) + spread,
            number(figure.real) + fewer,
            figure.features,
            f"{figure.real_count:,} ({figure.split})",
            f"{figure.generated_count:,}",
            figure.resizer,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def number(value: float | None) -> str:
    """Format a number: with four decimals, or two from 10 on, or two significant digits below 0.001.

    Returns "-" for None.
    """
    if value is None:
        return "-"
    if 0 < abs(value) < 0.001:
        return f"{value:.2g}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.2f}"


def _class_tables(figures: dict[str, Figure]) -> list[str]:
    """Return a Markdown table for each attribute. A table has a row of figures for each value."""
    tables = []
    attributes = dict.fromkeys(f.attribute for f in figures.values() if f.attribute)
    for attribute in attributes:
        columns = [f for f in figures.values() if f.attribute == attribute and f.by_class]
        heads = [f"{f.title} | real images" for f in columns]
        lines = [f"| {attribute} | {' | '.join(heads)} |", "| --- |" + " --- | --- |" * len(columns)]
        for value in columns[0].by_class or {}:
            cells = [number(share) for f in columns for share in (f.by_class or {})[value]]
            lines.append(f"| {value} | {' | '.join(cells)} |")
        tables.append("\n".join(lines))
    return tables


def metrics(evaluation: Evaluation) -> dict[str, Any]:
    """Return the content of metrics.json: the figures, their data and settings, and what is missing."""
    context = evaluation.context
    splits = {"train": context.splits.train, "test": context.splits.test}
    return {
        "model": context.model.id,
        "seed": context.seed,
        "command": command(evaluation),
        "prodgen": __version__,
        "torch": torch.__version__,
        "device": context.device,
        "data": {name: {"digest": digest(split), "count": len(split)} for name, split in splits.items()},
        "figures": {name: figure.to_json() for name, figure in evaluation.figures.items()},
        "left_out": evaluation.left_out,
    }


def write(evaluation: Evaluation, out: Path, earlier: Path) -> None:
    """Write metrics.json, card.md and the pictures to ``out``. ``earlier``: the path of an earlier card.

    The new card keeps the earlier card's text about the training.
    """
    (out / "metrics.json").write_text(json.dumps(metrics(evaluation), indent=2) + "\n", "utf-8")
    present = earlier.read_text("utf-8") if earlier.is_file() else ""
    (out / "card.md").write_text(card(evaluation, present), "utf-8")
    for name, picture in evaluation.pictures.items():
        picture.save(out / name)
