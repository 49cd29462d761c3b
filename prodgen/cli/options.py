"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from prodgen.errors import ProdgenError
from prodgen.spec import finish
from prodgen.spec.spelling import split_pair

Attr = Annotated[
    list[str] | None,
    typer.Option(
        "--attr", metavar="NAME=VALUE", help="Attribute, as often as you like; NAME=A|B makes both."
    ),
]
Prompt = Annotated[
    str | None,
    typer.Option(
        help='The wish in words, English or Chinese: "three navy t-shirts". Other options come first.'
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of the random numbers; the same seed makes the same images.")]
Truncation = Annotated[float, typer.Option(help="Spread of the latents, from 0 to 1; lower is less varied.")]
Size = Annotated[int | None, typer.Option(help="Side of the images in pixels (default: the model's own).")]
Upscale = Annotated[
    int | None, typer.Option(help="4: a network enlarges the images four times, before they get SIZE.")
]
Background = Annotated[
    str | None, typer.Option(help="CSS colour behind the product (default: the model's own).")
]
ExactColour = Annotated[
    bool, typer.Option("--exact-colour", help="Shift the product's colours to exactly the requested one.")
]
Format = Annotated[str, typer.Option(help="File format: png, webp, jpeg or avif.")]
Cutter = Annotated[
    str | None, typer.Option(help="grabcut, u2netp or another network of rembg (default: the best here).")
]
Weights = Annotated[Path | None, typer.Option(help="Folder with the file of the cutter's network.")]
Sheet = Annotated[
    bool, typer.Option("--sheet", help="Put the images on sprite sheets with an atlas, for games.")
]
Aspect = Annotated[
    finish.Aspect | None, typer.Option(help="Width to height of pictures of photographs (default: 1:1).")
]
CopySpace = Annotated[
    finish.Edge | None,
    typer.Option(help="Edge of which a third is left free for text, in pictures of photographs."),
]
LightFrom = Annotated[
    finish.Light | None,
    typer.Option(help="Side from which light casts the shadows of photographed products."),
]
Pose = Annotated[
    finish.Pose | None,
    typer.Option(
        help="Whether photographed products lie flat, hang or stand: decides where their shadows fall."
    ),
]
Retouch = Annotated[
    list[str] | None,
    typer.Option(help="Mend photographs: light, straighten; as often as you like."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Key = Annotated[str | None, typer.Option(help="With --queue: the same key never queues twice.")]


def parse_attributes(texts: list[str] | None) -> dict[str, list[str]]:
    """Parse ``--attr`` options: ``["category=bag|sneaker"]`` becomes ``{"category": ["bag", "sneaker"]}``.

    Raises ProdgenError for a text that is not NAME=VALUE.
    """
    wanted: dict[str, list[str]] = {}
    for text in texts or []:
        pair = split_pair(text)
        if pair is None:
            raise ProdgenError(f"--attr {text!r} is not name=value, for instance --attr category=sneaker")
        wanted.setdefault(pair[0], []).extend(pair[1])
    return wanted
