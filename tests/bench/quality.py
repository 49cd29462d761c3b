"""Public peers and this project's families on the same images, judged by one evaluator.

``python -m tests.bench.quality --data DIR --samples N --out DIR``

Each trains on N samples (real images seen, however often) with the same threads, and draws 10,000 images,
which are compared with the test split. What OUT has of the same training images isn't trained again, nor
judged again by the same judge, whose rows alone are in the table.
"""

import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table

from prodgen.catalog.catalogue import digest
from prodgen.catalog.formats import open_catalogue
from prodgen.cli.options import Json
from prodgen.cli.output import print_json
from prodgen.errors import ProdgenError
from prodgen.evaluation.splits import Splits
from prodgen.models import load_model
from prodgen.models.saved import find_model
from prodgen.settings import settings
from tests.bench.contestants import CONTESTANTS, DEFAULT, REFERENCE, Drawn, Task, of_model, real_images
from tests.bench.environments import Unavailable
from tests.bench.scoring import FIGURES, TITLES, Evaluator


@dataclass(frozen=True)
class Row:
    """One line of the table; without figures, ``problem`` says why there are none.

    ``judged``: by whom, and on what: figures compare where it is the same.
    """

    name: str
    samples: int | None
    seconds: float | None
    threads: int | None
    figures: dict[str, float]
    judged: str = ""  # of rows that an older version wrote, nobody knows
    problem: str | None = None


class Bench:
    """The bench's folder: ``runs/NAME-SAMPLES-DATA``, ``environments``, ``rows`` and the tables."""

    def __init__(self, data: Path, samples: int, threads: int, out: Path) -> None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.train, self.test = (open_catalogue(data, split) for split in ("train", "test"))
        if not self.train.classifiable:
            raise ProdgenError(f"the images in {data} have no attribute that a classifier could learn")
        self.task = Task(self.train, samples, threads, out, device)
        (out / "rows").mkdir(parents=True, exist_ok=True)
        cache = settings().model_cache.expanduser() / "judges"  # shared with `prodgen evaluate`
        self.evaluator = Evaluator(self.train, self.test, cache, device)
        self.judged = f"{self.evaluator.judge.name}, on test images {digest(self.test)}"

    def compete(self, name: str) -> Row:
        """Train one of the contestants, or take what it has left."""
        key = f"{name}-{self.task.samples}"
        folder = self.task.out / "runs" / f"{key}-{self.task.data}"
        folder.mkdir(parents=True, exist_ok=True)
        return self._row(key, name, lambda: CONTESTANTS[name](self.task, folder))

    def real(self) -> Row:
        """What a perfect generator would score: images of the training split itself."""
        name = "real images"
        return self._row(name, name, lambda: real_images(self.task))

    def judge(self, ref: str) -> Row:
        """An already trained model of this project; how long it took, nobody knows."""
        folder, _ = find_model(ref)
        model = load_model(ref, device=self.task.device)
        Splits.matching(model.config, self.train, self.test)
        told = folder / "metrics.json"
        samples = json.loads(told.read_text()).get("training_images") if told.is_file() else None

        def drawn() -> Drawn:
            made = of_model(model, self.task)
            return Drawn(made.images, made.labels, samples, None, None)

        return self._row(model.id, model.id, drawn)

    def _row(self, key: str, name: str, draw: Callable[[], Drawn]) -> Row:
        path = self.task.out / "rows" / f"{key}-{self.task.data}.json"
        if path.exists() and (known := Row(**json.loads(path.read_text()))).judged == self.judged:
            return known
        try:
            drawn = draw()
        except Unavailable as error:
            return Row(name, self.task.samples, None, None, {}, self.judged, str(error))
        figures = self.evaluator(drawn.images, drawn.labels)
        row = Row(name, drawn.samples, drawn.seconds, drawn.threads, figures, self.judged)
        path.write_text(json.dumps(asdict(row), indent=2) + "\n")
        return row

    def known(self) -> list[Row]:
        """All that this judge has judged in this folder, the best first."""
        rows = [Row(**json.loads(path.read_text())) for path in (self.task.out / "rows").glob("*.json")]
        return sorted((r for r in rows if r.judged == self.judged), key=lambda row: row.figures["fid"])


WIDE = 140
"""Columns that the table takes, where the terminal has fewer."""
HEAD = ("name", "samples", "seconds", "images/s", *TITLES, "agreement", "times better")


def cells(row: Row, reference: float | None) -> list[str]:
    """A row as people read it; ``reference``: the least FID of the plain peer."""
    if row.problem:
        return [row.name, f"{row.samples:,}", row.problem]
    pace = row.samples / row.seconds if row.samples and row.seconds else None
    fid = row.figures["fid"]
    return [
        row.name,
        "" if row.samples is None else f"{row.samples:,}",
        "" if row.seconds is None else f"{row.seconds:,.0f}",
        "" if pace is None else f"{pace:,.0f}",
        *(f"{row.figures[name]:.4g}" for name in FIGURES),
        f"{row.figures['agreement']:.3f}" if "agreement" in row.figures else "",
        f"{reference / fid:.1f}" if reference else "",
    ]


def markdown(rows: list[list[str]], caption: str) -> str:
    """The table for a README."""
    lines = [HEAD, ["---"] * len(HEAD), *([*row, *[""] * (len(HEAD) - len(row))] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + f"\n{caption}\n"


def main(
    data: Annotated[Path, typer.Option(help="The images, with a training and a test split.")],
    out: Annotated[Path, typer.Option(help="Where all is kept: environments, runs, tables.")],
    samples: Annotated[int, typer.Option(min=1000, help="Real images that each is shown.")] = 320_000,
    only: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(CONTESTANTS)}.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="A trained one, in place of all that --only does not name.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1)] = os.cpu_count() or 1,
    as_json: Json = False,
) -> None:
    """Train, judge and compare."""
    unknown = [name for name in only or [] if name not in CONTESTANTS]
    if unknown:
        raise ProdgenError(f"there is no contestant {unknown[0]!r}; there are {', '.join(CONTESTANTS)}")
    torch.set_num_threads(threads)
    bench = Bench(data, samples, threads, out.resolve())
    bench.real()
    names = only if only is not None else [] if model else DEFAULT
    tried = [bench.compete(name) for name in names] + [bench.judge(ref) for ref in model or []]
    rows = bench.known() + [row for row in tried if row.problem]
    plain = [row.figures["fid"] for row in rows if row.name == REFERENCE]
    lines = [cells(row, min(plain, default=None)) for row in rows]
    used = " or ".join(str(count) for count in sorted({row.threads for row in rows if row.threads}))
    caption = (
        f"{len(bench.test):,} test images, judged by {bench.evaluator.judge.name}. Times better: in FID, "
        f"than the best {REFERENCE} here. Trained with {used or 'unknown'} thread(s), "
        f"torch {torch.__version__}, {platform.machine()}, {bench.task.device}."
    )
    (out / "results.json").write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    (out / "table.md").write_text(markdown(lines, caption))
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    table = Table(*HEAD, caption=caption)
    for line in lines:
        table.add_row(*line)
    Console(width=max(Console().width, WIDE)).print(table)


if __name__ == "__main__":
    try:
        typer.run(main)
    except ProdgenError as error:
        sys.exit(f"quality: {error}")
