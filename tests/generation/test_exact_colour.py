"""An order for the exact colour gets it."""

import pytest

from prodgen.errors import ProdgenError
from prodgen.evaluation.pictures import premultiplied
from prodgen.generation.recolour import asked_colours
from prodgen.models import load_model
from prodgen.spec.colour import delta_e_2000, mean_colours, to_lab
from prodgen.spec.finish import Finish
from prodgen.spec.order import ImageRequest, Mix
from tests.generation.asking import images, pixels

FOREST_GREEN = (34, 139, 34)
EXACT = Finish(exact_colour=True)


def test_a_product_gets_exactly_the_colour_that_was_ordered() -> None:
    model = load_model("clothing")
    asked = images(model, range(4), colour="#228b22")
    made = [premultiplied(pixels(model, asked, finish)) for finish in (Finish(), EXACT)]
    plain, exact = (delta_e_2000(mean_colours(m), to_lab(FOREST_GREEN)) for m in made)
    assert plain.mean() > 4
    assert exact.max() < 2
    assert (abs(made[0][..., 3].astype(int) - made[1][..., 3]) <= 1).all()


def test_a_mix_is_asked_for_the_colour_between_those_of_its_images() -> None:
    schema = load_model("clothing").config.attributes
    mix = Mix(seed=1, draw=0, attributes={"colour": "#ffffff"}, share=0.25)
    asked = asked_colours(schema, [ImageRequest(0, 1, 0, {"colour": "#000000"}, mix=mix)])
    assert asked[0].tolist() == pytest.approx([25, 0, 0], abs=0.1)


def test_a_model_without_colours_refuses_the_exact_colour() -> None:
    with pytest.raises(ProdgenError, match="exact_colour is for models of cut-outs") as error:
        load_model("fashion-mnist").config.check_finish(EXACT)
    assert error.value.param == "finish.exact_colour"


def test_earlier_versions_read_orders_that_do_not_ask_for_the_exact_colour() -> None:
    assert "exact_colour" not in Finish().model_dump()
    assert Finish.model_validate(EXACT.model_dump()) == EXACT
