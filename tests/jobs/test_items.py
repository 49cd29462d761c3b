"""A long order is checked and read in parts, and every faulty row is named at once."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from prodgen.errors import ProdgenError, Unsupported
from prodgen.jobs import items as items_module
from prodgen.jobs.items import JobImages, write_items
from prodgen.jobs.record import JobRecord
from prodgen.registry.publish import publish
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.order import Expansion, Item, JobSpec
from prodgen.spec.redrawing import Picture
from prodgen.storage import keys
from prodgen.storage.local import LocalStore
from tests.toys import SCHEMA, toy_folder


def rows(count: int) -> list[Item]:
    """Items of one, two, three … images, some of which ask for two values."""
    asked = ["bag", ["bag", "dress"]]
    return [Item(sku=f"S{n}", count=1 + n % 3, attributes={"category": asked[n % 2]}) for n in range(count)]


@pytest.mark.parametrize("seed_from", ["job", "sku"])
@pytest.mark.parametrize("with_index", [True, False])
def test_a_part_of_a_job_is_what_the_whole_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed_from: str, with_index: bool
) -> None:
    monkeypatch.setattr(items_module, "BLOCK", 7)
    store = LocalStore(tmp_path / "store", "secret", "http://gateway.test")
    version = publish(store, toy_folder(tmp_path / "toy"), "toy", "acme")
    spec = JobSpec.model_validate({"model": "toy", "seed": 5, "seed_from": seed_from})
    index = write_items(rows(100), spec, SCHEMA, tmp_path / "items.jsonl")
    assert len(index.blocks) == 15
    record = JobRecord(
        id="job",
        tenant="acme",
        created=datetime.now(UTC),
        spec=spec,
        model=version.id,
        model_prefix=version.prefix,
        total=index.total,
        packaging="tar",
        items=True,
        request_digest="",
    )
    store.put_file(keys.job("acme", "job", "items.jsonl"), tmp_path / "items.jsonl")
    if with_index:  # a job of an older prodgen has none
        store.put(keys.job("acme", "job", "items.index.json"), index.model_dump_json().encode())
    whole = Expansion(spec, rows(100), SCHEMA)
    assert whole.total == index.total
    images = JobImages(store, record)
    assert [images[k] for k in range(index.total)] == list(whole)
    assert images[3] == whole[3], "a block that was read before is read again"


def test_items_of_a_later_version_are_refused() -> None:
    with pytest.raises(Unsupported, match=r"items\.jsonl cannot be read here"):
        items_module._parse_items(b'{"sku": "A"}\n{"sku": "B", "later": 1}\n')


def test_the_index_says_whether_an_item_has_a_picture(tmp_path: Path) -> None:
    for picture in (None, Picture(sha256="1" * 64)):
        asked = [Item(sku="A", picture=picture), Item(sku="B")]
        index = write_items(asked, JobSpec(model="toy"), SCHEMA, tmp_path / "items.jsonl")
        assert index.pictures == (picture is not None)


def test_all_faulty_rows_are_named_at_once(tmp_path: Path) -> None:
    found: list[Item | ProdgenError] = [*rows(3)]
    found[1] = ProdgenError("row 3, column count: 'many' is not a whole number", param="row 3, column count")
    found.append(Item(sku="X", row=5, attributes={"category": "boot"}))
    with pytest.raises(
        ProdgenError, match=r"^row 3, column count: .* \(and 1 more row cannot be made\)$"
    ) as caught:
        write_items(found, JobSpec(model="toy"), SCHEMA, tmp_path / "items.jsonl")
    assert caught.value.param == "row 3, column count"
    assert [str(detail).split(":")[0] for detail in caught.value.details] == [
        "row 3, column count",
        "row 5 (X)",
    ]


def test_no_more_than_a_hundred_faults_are_listed(tmp_path: Path) -> None:
    found = [Item(sku="X", row=n, attributes={"hue": "red"}) for n in range(2, 500)]
    with pytest.raises(ProdgenError, match=r"\(and 497 more rows cannot be made\)") as caught:
        write_items(found, JobSpec(model="toy"), AttributeSchema(attributes=()), tmp_path / "items.jsonl")
    assert len(caught.value.details) == 100
    assert caught.value.more == 398


def test_the_count_of_faults_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items_module, "MAX_COUNTED", 300)
    found = [Item(sku="X", row=n, attributes={"hue": "red"}) for n in range(2, 500)]
    with pytest.raises(ProdgenError, match=r"\(and at least 299 more rows cannot be made\)") as caught:
        write_items(found, JobSpec(model="toy"), AttributeSchema(attributes=()), tmp_path / "items.jsonl")
    assert (len(caught.value.details), caught.value.more) == (100, 200)
