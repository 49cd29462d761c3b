"""``prodgen describe``: titles, alt texts and file names of pictures, from the marks in their files."""

from pathlib import Path
from typing import Annotated

import typer

from prodgen.cli.edit import pictures_in
from prodgen.cli.options import Json
from prodgen.cli.output import print_json, print_record
from prodgen.cli.provenance import printable
from prodgen.errors import ProdgenError
from prodgen.spec.provenance import read_provenance


def describe(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    language: Annotated[str, typer.Option(help="en (English) or zh (Chinese).")] = "en",
    json: Json = False,
) -> None:
    """Write a title, an alt text and a file name for pictures.

    The texts say what the pictures were made with, as the marks in their files have it.
    """
    from prodgen.spec.describe import LANGUAGES, describe_recipe

    found = next((code for code in LANGUAGES if code == language), None)
    if found is None:
        known = " and ".join(LANGUAGES)
        raise ProdgenError(f"there is no language {language!r}; there are {known}", param="language")
    records = []
    for file in pictures_in(pictures):
        recipe = read_provenance(file).recipe
        if recipe is None:
            raise ProdgenError(f"{file} has no recipe that says how it was made")
        records.append({"file": str(file)} | describe_recipe(recipe, file.name, found).model_dump())
    if json:
        print_json(records)
        return
    for record in records:
        print_record(printable(record))
