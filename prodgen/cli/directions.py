"""``prodgen directions``: find what a step along a latent direction changes in the images of a model."""

import json as json_module
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from prodgen.cli.folders import writing
from prodgen.cli.options import Json
from prodgen.cli.output import print_json, results, say
from prodgen.cli.progress import ProgressBars
from prodgen.errors import Conflict
from prodgen.spec.model_config import CONFIG, folder_version


def directions(
    model: Annotated[str, typer.Argument(help="Bundled model, model folder, or OWNER/NAME of a hub.")],
    out: Annotated[Path, typer.Option(help="New folder for the model with the directions that hold.")],
    count: Annotated[
        int, typer.Option(min=500, max=100_000, help="Images that are made and measured.")
    ] = 4000,
    json: Json = False,
) -> None:
    """Measure in which directions images get wider, taller or lighter.

    A direction that holds is asked for as an attribute, by steps from -3 to 3: --attr width=1.5. It holds if
    it explains 25% of what varies beyond the attributes, if 90% of unseen images change as it says, and if no
    better direction is nearly the same. The config has the directions, so the model is a new version.
    """
    from prodgen.evaluation.directions import find_directions
    from prodgen.models import load_model
    from prodgen.models.saved import find_model

    folder, name = find_model(model)
    if out.exists():
        raise Conflict(f"{out} exists already; choose a new folder")
    saved = load_model(folder, name)
    with ProgressBars(json) as bars:
        found = find_directions(saved, count, bars.report)
    offered = [one.direction for one in found if one.fault is None]
    if offered:
        with writing(out.absolute().parent):
            shutil.copytree(folder, out)
            config = json_module.loads((out / CONFIG).read_text())
            config["attributes"]["directions"] = [direction.model_dump() for direction in offered]
            (out / CONFIG).write_text(json_module.dumps(config, indent=2, sort_keys=True))
    if json:
        rows = [{**one.direction.model_dump(exclude={"vector"}), "fault": one.fault} for one in found]
        print_json({"out": str(out) if offered else None, "directions": rows})
        return
    table = Table("direction", "a step changes it by", "varies by", "R²", "images that change so", "offered")
    for direction, deviation, fault in found:
        figures = (
            f"{direction.effect:+.3f}",
            f"{deviation:.3f}",
            f"{direction.r2:.2f}",
            f"{direction.right:.0%}",
        )
        table.add_row(direction.name, *figures, fault or "yes")
    results.print(table)
    if offered:
        say(f"{name}@{folder_version(out)}: {out}")
    else:
        say(f"no direction of {saved.id} holds; nothing was written")
