"""``prodgen swatch``: the cloth of one photographed product as a material for others."""

from pathlib import Path
from typing import Annotated

import typer

from prodgen.cli.folders import writing
from prodgen.cli.options import Cutter, Json, Weights
from prodgen.cli.output import report
from prodgen.errors import ProdgenError


def swatch(
    photo: Annotated[Path, typer.Argument(help="Photograph of a product.")],
    out: Annotated[Path, typer.Option(help="New PNG file for the swatch.")],
    cutter: Cutter = None,
    weights: Weights = None,
    json: Json = False,
) -> None:
    """Cut a swatch of cloth out of a photographed product.

    Its colours, pattern and texture are the product's, without light and shadow, and it repeats at the
    product's own scale. Use it wherever a swatch is taken: --material of prodgen edit, the column material
    of an order, an upload. A mask or a matte beside the photograph is used as in prodgen edit.
    """
    import prodgen
    from prodgen.catalog.picture_files import decode_or_fault
    from prodgen.generation.encode import encode
    from prodgen.photographs.cutters import load_cutter
    from prodgen.photographs.edit import LARGEST_SIDE
    from prodgen.photographs.lifted import lift
    from prodgen.photographs.marked import MASK, MATTE, beside, cut_out_marked
    from prodgen.spec.provenance import edited_source_type, make_xmp, read_provenance

    if out.suffix.lower() != ".png" or out.exists():
        fault = "already exists" if out.exists() else "does not end with .png"
        raise ProdgenError(f"{out} {fault}; name a new PNG file", param="out")
    decoded = decode_or_fault(photo, LARGEST_SIDE)
    if isinstance(decoded, str):
        raise ProdgenError(f"{photo} cannot be read: {decoded}", param="photo")
    digest, photograph = decoded
    chosen = load_cutter(cutter, weights)
    try:
        cut = cut_out_marked(photograph, chosen, beside(photo, MASK), beside(photo, MATTE))
        lifted = lift(cut)
    except ProdgenError as error:
        raise ProdgenError(f"{photo}: {error}", param="photo") from None
    recipe = {"prodgen": prodgen.__version__, "photo": digest, "cutter": chosen.name, "repeat": lifted.repeat}
    generative = read_provenance(photo).generative
    kind = edited_source_type(generative=generative, recoloured=False, on_photograph=False)
    with writing(out.parent):
        out.write_bytes(encode(lifted.rgb, "png", make_xmp(kind, recipe)))
    size = len(lifted.rgb)
    summary = {"out": str(out), "photo": digest, "size": size, "repeat": lifted.repeat}
    report(json, summary, f"{out}: {size} x {size} pixels, {lifted.repeat:.0%} of the product's longer side")
