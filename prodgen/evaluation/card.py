"""The model card: what a model can be asked for, how good it is, and how to measure that again."""

from prodgen import __version__
from prodgen.catalog.catalogue import digest
from prodgen.evaluation.evaluate import Evaluation
from prodgen.evaluation.figure import Figure
from prodgen.evaluation.precision_recall import K
from prodgen.models import SavedModel
from prodgen.spec.attributes import Choice

TRAINING = "\n## How it was trained"

PICTURES = {
    "samples.png": "Images that nobody has chosen, eight of each value where there are values",
    "colours.png": "One latent a row, in twelve colours",
    "neighbours.png": "The generated images nearest to the training images",
    "interpolation.png": "Between two latents",
    "reconstructions.png": "Real test images and their reconstructions",
}


def card(evaluation: Evaluation, earlier: str = "") -> str:
    """Markdown; keeps of an ``earlier`` card of the model how it was trained, and what follows that."""
    scene = evaluation.scene
    pictures = "\n\n".join(f"![{PICTURES[n]}]({n})" for n in PICTURES if n in evaluation.pictures)
    _, heading, training = earlier.partition(TRAINING)
    return f"""{opening(scene.model)}
## How good it is
*Real* is the same measure with real images in the generated ones' place: training images where images are
compared or teach a classifier, test images where they are judged. A perfect model would score about that.

{figures_table(evaluation.figures)}

A figure holds for the network, split, counts and resizer beside it. Those of a domain classifier compare
versions of one catalogue: it has learned from the training images, and is surer of them than of new ones.
Only those of Inception-v3 with its FID weights compare with published figures, of the same split and counts.
Precision, recall, density and coverage go by the {K}th neighbour. Real images of another size than the
model's were brought to it when the data was read (Lanczos).

{_sections(evaluation)}
## What it looks like
{pictures}

## How to measure it again
```sh
{command(evaluation)}
```

DIR holds the training split `{digest(scene.splits.train)}` ({len(scene.splits.train):,} images) and the test
split `{digest(scene.splits.test)}` ({len(scene.splits.test):,} images). Measured by prodgen {__version__}.
{heading}{training}"""


def _sections(evaluation: Evaluation) -> str:
    """What is left out, and the tables of the classes, as far as there are any."""
    parts = _class_tables(evaluation.figures)
    if evaluation.left_out:
        parts.insert(0, "Left out:\n" + "\n".join(f"- {reason}." for reason in evaluation.left_out))
    return "".join(f"{part}\n\n" for part in parts)


def opening(model: SavedModel) -> str:
    """What every card begins with: what the model is, and what it can be asked for."""
    config = model.config
    parameters = sum(p.numel() for p in model.generator.parameters())
    attributes = "\n".join(
        f"- `{a.name}`: {', '.join(a.values) if isinstance(a, Choice) else 'any colour'}"
        for a in config.attributes.attributes
    )
    attributes = attributes or "Nothing: it makes images like those that it was trained on."
    return f"""# {model.name}

{config.size}x{config.size} pixels, {config.channels} channel(s), family `{config.family}`, {parameters:,}
parameters, version `{model.digest}`.

## What it can be asked for
{attributes}
"""


def command(evaluation: Evaluation) -> str:
    """What to run for the same figures."""
    options = evaluation.options
    words = ["prodgen evaluate", evaluation.scene.model.name, "--data DIR"]
    if options.count is not None:
        words.append(f"--count {options.count}")
    if options.inception_weights is not None:
        words.append(f"--inception-weights {options.inception_weights.name}")
    if options.resized:
        words.append("--resize")
    return " ".join([*words, f"--features {options.features} --seed {options.seed}"])


def figures_table(figures: dict[str, Figure]) -> str:
    """Every figure, with all that it depends on."""
    lines = [
        "| measure | better | generated | real | judged by | real images | generated images | resizer |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for figure in figures.values():
        spread = "" if figure.std is None else f" ± {number(figure.std)}"
        few = "" if figure.stand_in_count is None else f" (of {figure.stand_in_count:,})"
        cells = (
            figure.title,
            figure.better,
            number(figure.value) + spread,
            number(figure.real) + few,
            figure.features,
            f"{figure.real_count:,} ({figure.split})",
            f"{figure.generated_count:,}",
            figure.resizer,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def number(value: float | None) -> str:
    """Four decimals, or two where there is more before the point; of the smallest two digits."""
    if value is None:
        return "-"
    if 0 < abs(value) < 0.001:
        return f"{value:.2g}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.2f}"


def _class_tables(figures: dict[str, Figure]) -> list[str]:
    """For each attribute, its values against the figures that are known of each."""
    tables = []
    attributes = dict.fromkeys(f.attribute for f in figures.values() if f.attribute)
    for attribute in attributes:
        columns = [f for f in figures.values() if f.attribute == attribute and f.by_class]
        heads = [f"{f.title} | of real images" for f in columns]
        lines = [f"| {attribute} | {' | '.join(heads)} |", "| --- |" + " --- | --- |" * len(columns)]
        for value in columns[0].by_class or {}:
            cells = [number(share) for f in columns for share in (f.by_class or {})[value]]
            lines.append(f"| {value} | {' | '.join(cells)} |")
        tables.append("\n".join(lines))
    return tables
