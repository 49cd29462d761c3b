"""Each index of an order stands for the image that the customer expects."""

import pytest

from prodgen.errors import ProdgenError
from prodgen.spec.attributes import AttributeSchema, Choice
from prodgen.spec.formula import Formula
from prodgen.spec.order import Expansion, Item, JobSpec, Latent, Mix, resolve_attributes

COLOURS = ("red", "green", "blue")
SCHEMA = AttributeSchema(
    attributes=(
        Choice(name="category", values=("sneaker", "bag"), frequencies=(0.5, 0.5)),
        Choice(name="colour", values=COLOURS, frequencies=(1, 1, 1)),
    )
)


def test_items_come_first_then_combinations_then_repeats() -> None:
    wanted = {"category": ["sneaker", "bag"], "colour": ["red", "blue"]}
    items = [Item(sku="A"), Item(sku="B", count=1, attributes={"category": "bag"})]
    images = list(Expansion(JobSpec(model="m", count=2, attributes=wanted), items, SCHEMA))
    assert [i.index for i in images] == list(range(10))
    assert [i.sku for i in images] == ["A"] * 8 + ["B"] * 2
    combinations = [("sneaker", "red"), ("sneaker", "blue"), ("bag", "red"), ("bag", "blue")]
    assert [tuple(i.attributes.values()) for i in images[:8:2]] == combinations
    assert [tuple(i.attributes.values()) for i in images[1:8:2]] == combinations
    assert [i.repeat for i in images] == [*range(8), 0, 1]
    assert images[9].attributes == {"category": "bag", "colour": "blue"}


def test_a_sku_keeps_its_look_in_every_order() -> None:
    spec = JobSpec(model="m", count=2, seed=7, seed_from="sku", attributes={"colour": [*COLOURS]})
    alone = list(Expansion(spec, [Item(sku="B")], SCHEMA))
    after = list(Expansion(spec, [Item(sku="A"), Item(sku="B")], SCHEMA))[6:]
    assert [(i.seed, i.draw) for i in alone] == [(i.seed, i.draw) for i in after]
    assert {i.draw for i in alone} == {0, 1}
    assert alone[0].seed != next(iter(Expansion(spec, [Item(sku="A")], SCHEMA))).seed


def test_an_absurd_order_is_counted_not_laid_out() -> None:
    lists = {"category": ["bag"] * 100_000, "colour": ["red"] * 100_000}
    images = Expansion(JobSpec(model="m", count=10**20, attributes=lists), None, SCHEMA)
    assert images.total == 10**30
    assert images[10**29].attributes == {"category": "bag", "colour": "red"}


def test_an_item_mixes_in_another_image_whose_missing_values_are_its_own() -> None:
    mix = Mix(seed=3, draw=4, attributes={"colour": "Blue"}, share=0.25)
    item = Item(sku="A", latent=Latent(seed=1, draw=2), attributes={"category": "bag"}, mix=mix)
    (image,) = resolve_attributes(SCHEMA, [*Expansion(JobSpec(model="m"), [item], SCHEMA)])
    assert (image.seed, image.draw, image.attributes["category"]) == (1, 2, "bag")
    assert image.mix == mix.model_copy(update={"attributes": {"category": "bag", "colour": "blue"}})
    for wrong in ({"photo": "0" * 64}, {"mix": mix.model_copy(update={"attributes": {"colour": "mud"}})}):
        with pytest.raises(ProdgenError, match=r"item 1 \(A\)"):
            Expansion(JobSpec(model="m"), [item.model_copy(update=wrong)], SCHEMA)


def test_earlier_versions_read_an_order_that_asks_for_nothing_new() -> None:
    later = {"quality_gate", "pictures", "upscale", "light_from", "pose"}
    plain = JobSpec(model="m").model_dump()
    assert later.isdisjoint(plain.keys() | plain["finish"].keys())
    asked = {
        "model": "m",
        "quality_gate": True,
        "pictures": True,
        "finish": {"upscale": 4, "light_from": "left", "pose": "flat"},
    }
    spec = JobSpec.model_validate(asked)
    assert later <= spec.model_dump().keys() | spec.model_dump()["finish"].keys()
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec


def test_the_digest_of_a_plain_image_is_that_of_the_first_version_with_addresses() -> None:
    formula = Formula.model_validate(
        {
            "model": "clothing@50c87193b58e",
            "seed": 7,
            "index": 12,
            "format": "webp",
            "attributes": {"category": "dress"},
            "finish": {"size": 128},
        }
    )
    assert formula.digest == "fdd920e2c9996584a7a389dbe96ec7a9a85950db8e79bb5b2269488a2593140c"
