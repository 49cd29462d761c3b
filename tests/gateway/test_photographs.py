"""Orders of photographs at the door: what is accepted, and the one sentence that each mistake gets."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from prodgen.bundled import bundled_folders
from prodgen.generation.encode import encode_image
from prodgen.photographs.learnt import Learnt
from prodgen.registry.publish import publish
from prodgen.spec.provenance import GENERATED, make_xmp
from prodgen.storage import keys
from prodgen.storage.base import exists
from tests.gateway.running import Client, Gateway

NOBODY = "0" * 64


@pytest.fixture
def client(client: Client, gateway: Gateway) -> Client:
    """Return a client whose tenant has the model; a shared model would be seen by other tests."""
    (folder,) = (folder for folder in bundled_folders() if folder.name == "studio-grabcut")
    publish(gateway.store, folder, folder.name, client.tenant)
    return client


def picture(width: int = 90, height: int = 90) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def upload(client: Client, data: bytes) -> str:
    return str(client.post("/v1/uploads", content=data).json()["id"])


def order(photo: str | None, **others: Any) -> dict[str, Any]:
    item = {"sku": "A-1"} | ({"photo": photo} if photo else {})
    return {"model": "studio-grabcut", "items": [item]} | others


def test_colours_scenes_and_count_multiply_and_a_repeated_order_is_one_job(client: Client) -> None:
    photo = upload(client, picture())
    wanted = order(
        photo, attributes={"colour": ["original", "crimson"], "scene": ["white", "Studio"]}, count=3
    )
    headers = {"Idempotency-Key": "spring"}
    first, again = (client.post("/v1/jobs", json=wanted, headers=headers) for _ in range(2))
    assert first.status_code == 202, first.text
    assert first.json()["total"] == 12
    assert again.json()["id"] == first.json()["id"]


def test_a_photograph_of_another_tenant_does_not_exist(client: Client, stranger: Client) -> None:
    photo = upload(stranger, picture(91))
    status, error = client.error("POST", "/v1/jobs", json=order(photo))
    assert status == 400
    assert error["message"] == (
        f"item 1 (A-1): there is no upload {photo}; send the photograph to /v1/uploads first"
    )
    assert error["param"] == "item 1, photo"


def test_a_file_of_rows_names_uploads_and_errors_name_the_row(client: Client) -> None:
    photo = upload(client, picture())
    rows = upload(client, f"sku,photo,colour\nA,{photo},red\nB,{NOBODY},red\nC,polo.jpg,\nD,,\n".encode())
    status, error = client.error("POST", "/v1/jobs", json={"model": "studio-grabcut", "upload": rows})
    assert status == 400
    assert [fault["param"] for fault in error["details"]] == [
        f"row {row}, {'column ' * (row == 4)}photo" for row in (3, 4, 5)
    ]


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"items": None}, "makes pictures of photographs: give items"),
        ({"items": [{"sku": "A"}]}, "item 1 (A): photo is missing"),
        ({"items": [{"sku": "A", "photo": "polo.jpg"}]}, "photo"),
        ({"model": "shoes"}, "item 1 (A-1): shoes takes no photographs; leave photo out"),
        ({"model": "shoes", "items": None, "finish": {"preset": "amazon"}}, "shoes takes no preset"),
        ({"model": "shoes", "items": None, "finish": {"retouch": ["light"]}}, "shoes takes no retouch"),
        (
            {"attributes": {"colour": "blurple"}},
            "colour cannot be 'blurple'; write original, the name of a colour",
        ),
        (
            {"attributes": {"scene": "beach"}},
            "scene cannot be 'beach'; write white, studio, floor, wood, concrete, linen, gloss, the name of",
        ),
        ({"truncation": 0.5}, "truncation is not for pictures of photographs"),
        ({"finish": {"background": "red"}}, "order a colour as the attribute scene"),
        ({"finish": {"upscale": 4}}, "finish.upscale is not for pictures of photographs"),
        ({"finish": {"augment": {"flip": 1}}}, "finish.augment is not for pictures of photographs"),
        ({"finish": {"size": 9}}, "at least 64 pixels wide and high, not 9 x 9"),
        ({"finish": {"size": 64, "aspect": "16:9"}}, "not 64 x 36; set finish.size higher"),
        ({"finish": {"aspect": "5:4"}}, "aspect"),
        ({"finish": {"preset": "amazon", "aspect": "4:5"}}, "the preset amazon sets the aspect"),
        ({"model": "shoes", "items": None, "finish": {"copy_space": "top"}}, "shoes takes no copy_space"),
        ({"model": "shoes", "items": None, "finish": {"light_from": "left"}}, "shoes takes no light_from"),
        ({"finish": {"preset": "amazn"}}, "no preset is named 'amazn'; there are amazon"),
        ({"finish": {"preset": "amazon", "size": 128}}, "the preset amazon sets the size"),
        ({"finish": {"preset": "amazon"}}, "wants jpeg files; set output.format to jpeg"),
        (
            {"finish": {"preset": "amazon"}, "output": {"format": "jpeg"}, "attributes": {"scene": "floor"}},
            "the preset amazon wants the ground #ffffff, not 'floor'",
        ),
    ],
    ids=lambda value: None,
)
def test_a_mistake_gets_one_sentence(client: Client, spec: dict[str, Any], sentence: str) -> None:
    photo = upload(client, picture())
    status, error = client.error("POST", "/v1/jobs", json=order(photo, **spec))
    assert status == 400
    assert sentence in error["message"]


def test_a_generated_picture_is_refused_where_a_photograph_is_demanded(client: Client) -> None:
    generated = encode_image(Image.new("RGB", (300, 300)), "webp", make_xmp(GENERATED, {}))
    item = {"sku": "A", "photo": upload(client, generated)}
    spec = {"model": "studio-grabcut", "items": [item], "output": {"format": "jpeg"}}
    status, error = client.error("POST", "/v1/jobs", json={**spec, "finish": {"preset": "amazon"}})
    assert status == 400
    assert error["message"].endswith("amazon takes photographs of real products only")
    assert client.post("/v1/jobs", json={**spec, "finish": {"preset": "ebay"}}).status_code == 202


def test_a_material_is_a_name_or_a_swatch_that_the_tenant_has_uploaded(
    client: Client, stranger: Client
) -> None:
    photo, cloth = upload(client, picture()), upload(client, picture(70, 64))
    wanted = order(photo, attributes={"material": ["Denim", cloth], "colour": ["navy", "original"]})
    assert client.post("/v1/jobs", json=wanted).json()["total"] == 4
    for material, sentence in (
        (upload(client, picture(3, 3)), "has 3 x 3 pixels, and a swatch needs at least 64 x 64"),
        (upload(stranger, picture(72, 72)), "send the swatch to /v1/uploads first"),
        ("tweed", "material cannot be 'tweed'; write original, stripes"),
    ):
        for spec in (
            order(photo, attributes={"material": material}),
            order(photo, items=[{"sku": "A", "photo": photo, "attributes": {"material": material}}]),
        ):
            status, error = client.error("POST", "/v1/jobs", json=spec)
            assert status == 400
            assert sentence in error["message"]


def test_uploads_that_are_no_usable_pictures_are_refused(client: Client) -> None:
    huge = b"P6 50000 50000 255\n"
    for data, sentence in ((b"sku\nA\n", "is no picture"), (huge, "more than 100,000,000 pixels")):
        photo = upload(client, data)
        status, error = client.error("POST", "/v1/jobs", json=order(photo))
        assert status == 400
        assert sentence in error["message"]


def test_a_photograph_that_breaks_off_is_refused_and_one_with_a_film_behind_it_is_taken(
    client: Client,
) -> None:
    pixels, buffer = np.random.default_rng(0).integers(0, 255, (700, 700, 3), np.uint8), io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    jpeg = buffer.getvalue()
    for part in (jpeg[:9000], jpeg[:-9000]):
        status, error = client.error("POST", "/v1/jobs", json=order(upload(client, part)))
        assert (status, error["param"]) == (400, "item 1, photo")
        assert error["message"].endswith("breaks off before its end; upload the whole file")
    for whole in (jpeg, jpeg + bytes(99_999)):
        assert client.post("/v1/jobs", json=order(upload(client, whole))).status_code == 202


def test_a_background_of_ones_own_must_be_a_picture_that_covers_the_frame(
    client: Client, stranger: Client
) -> None:
    photo, wide = upload(client, picture()), upload(client, picture(80, 64))
    assert (
        client.post(
            "/v1/jobs", json=order(photo, attributes={"scene": ["floor", wide]}, finish={"size": 64})
        ).json()["total"]
        == 2
    )
    for ground, sentence in (
        (upload(client, b"sku\nA\n"), "is no picture"),
        (wide, "has 80 x 64 pixels, less than the pictures' 80 x 80"),
        (upload(stranger, picture(99, 99)), "send the background to /v1/uploads first"),
    ):
        spec = order(photo, finish={"size": 80})
        spec["items"][0]["attributes"] = {"Scene": ["white", ground]}
        status, error = client.error("POST", "/v1/jobs", json=spec)
        assert (status, error["param"]) == (400, "item 1, column scene")
        assert error["message"].startswith("item 1 (A-1): ")
        assert sentence in error["message"]
        del spec["items"][0]["attributes"]
        status, error = client.error("POST", "/v1/jobs", json=spec | {"attributes": {"scene": ground}})
        assert (status, error["param"]) == (400, "attributes.scene")
        assert sentence in error["message"]
    status, error = client.error("POST", "/v1/jobs", json=order(photo, attributes={"colour": wide}))
    assert "colour cannot be" in error["message"]


def test_a_photograph_that_lies_on_its_side_covers_a_frame_when_upright(client: Client) -> None:
    lying = Image.new("RGB", (1400, 1100))
    lying.getexif()[ExifTags.Base.Orientation] = 6
    buffer = io.BytesIO()
    lying.save(buffer, "JPEG", exif=lying.getexif())
    wanted = {"attributes": {"scene": upload(client, buffer.getvalue())}, "output": {"format": "jpeg"}}
    spec = order(upload(client, picture()), **wanted)
    assert client.post("/v1/jobs", json=spec | {"finish": {"preset": "instagram"}}).status_code == 202


def test_several_photographs_of_one_picture_are_each_checked(client: Client) -> None:
    first, second = upload(client, picture(77)), upload(client, picture(78))
    job = client.post("/v1/jobs", json=order(f"{first}+{second}")).json()
    assert job["total"] == 1
    assert client.error("DELETE", f"/v1/uploads/{second}")[0] == 409
    status, error = client.error("POST", "/v1/jobs", json=order(f"{first}+{NOBODY}"))
    assert (status, error["param"]) == (400, "item 1, photo")
    assert f"there is no upload {NOBODY}" in error["message"]


def grey(width: int, height: int, product: int = 255, ground: int = 0) -> bytes:
    """Return the file of a matte whose left half is the product."""
    matte, buffer = Image.new("L", (width, height), ground), io.BytesIO()
    matte.paste(product, (0, 0, width // 2, height))
    matte.save(buffer, "PNG")
    return buffer.getvalue()


def test_a_matte_that_cannot_be_used_gets_one_sentence(client: Client, stranger: Client) -> None:
    photo = upload(client, picture(90, 60))
    wide = upload(client, picture(4000, 2001))

    def refused(photo: str | None, matte: str, model: str = "studio-grabcut") -> str:
        item = {"sku": "A-1", "matte": matte} | ({"photo": photo} if photo else {})
        status, error = client.error("POST", "/v1/jobs", json={"model": model, "items": [item]})
        assert (status, error["param"]) == (400, "item 1, matte")
        return str(error["message"])

    good = upload(client, grey(90, 60))
    for matte, sentence in (
        (
            upload(client, grey(60, 90)),
            "has 60 x 90 pixels, and its photograph 90 x 60; save it with 90 x 60 p",
        ),
        (upload(client, b"sku\nA\n"), "is no picture"),
        (upload(client, grey(90, 60, product=9)), "marks no product: nothing in it is white, or opaque"),
        (
            upload(client, grey(90, 60, ground=255)),
            "marks the whole photograph: nothing in it is black, or transparent",
        ),
        (upload(client, grey(90, 60)[:-30]), "breaks off"),
        (upload(stranger, grey(90, 61)), "send the matte to /v1/uploads first"),
        (
            f"{good}+",
            "matte and photo name different numbers of pictures; write one matte for each photograph",
        ),
    ):
        assert sentence in refused(photo, matte)
    assert "save it with 4000 x 2001 or 3072 x 1537 pixels" in refused(wide, upload(client, grey(3072, 1500)))
    assert "name the photograph as photo" in refused(None, good)
    assert "shoes takes no photographs; leave matte out" in refused(None, good, "shoes")


def test_mattes_are_taken_in_items_and_files_and_kept_while_an_order_needs_them(
    client: Client, gateway: Gateway
) -> None:
    photo, wide = upload(client, picture(90, 60)), upload(client, picture(4000, 2001))
    full, read = upload(client, grey(90, 60)), upload(client, grey(3072, 1537))
    rows = upload(
        client, f"sku,photo,Matte\nA,{photo},{full}\nB,{wide}+{photo},{read}+\nC,{photo},\n".encode()
    )
    placed = client.post("/v1/jobs", json={"model": "studio-grabcut", "upload": rows}).json()
    assert placed["total"] == 3
    items = gateway.store.get(keys.job(client.tenant, placed["id"], "items.jsonl")).decode().splitlines()
    assert ["matte" in item for item in items] == [True, True, False]
    assert client.error("DELETE", f"/v1/uploads/{read}")[0] == 409
    client.post(f"/v1/jobs/{placed['id']}/cancel")
    assert client.delete(f"/v1/uploads/{read}").json()["removed"] == [read]


def test_a_photograph_and_its_matte_are_fetched_to_be_corrected(
    client: Client, stranger: Client, gateway: Gateway
) -> None:
    data = picture(90, 60)
    photo = upload(client, data)
    got = client.get(f"/v1/uploads/{photo}")
    assert (got.content, got.headers["content-type"]) == (data, "image/png")
    assert got.headers["content-disposition"].startswith("attachment")
    assert client.get(f"/v1/uploads/{photo}", headers={"Range": "bytes=1-3"}).content == b"PNG"
    assert stranger.error("GET", f"/v1/uploads/{photo}")[0] == 404

    version = client.get("/v1/models/studio-grabcut").json()["version"]
    key, address = keys.cut_out(client.tenant, version, photo), f"/v1/uploads/{photo}/matte"
    for sentence in ("has made no picture of", "found no product in"):
        status, error = client.error("GET", f"{address}?model=studio-grabcut")
        assert (status, sentence in error["message"]) == (404, True)
        nothing = np.zeros((1, 1), np.uint8)
        gateway.store.put(key, Learnt(nothing, nothing, (), None).to_png())
    levels = np.arange(60 * 90).reshape(60, 90).astype(np.uint8)
    gateway.store.put(key, Learnt(levels, nothing.repeat(60, 0).repeat(90, 1), (), None).to_png())
    png = client.get(address, params={"model": "studio-grabcut"}).content
    assert (np.asarray(Image.open(io.BytesIO(png))) == levels).all()


def test_a_background_is_kept_while_an_order_needs_it(client: Client) -> None:
    photo, ground = upload(client, picture()), upload(client, picture(64, 64))
    job = client.post(
        "/v1/jobs", json=order(photo, attributes={"scene": ground}, finish={"size": 64})
    ).json()["id"]
    assert client.error("DELETE", f"/v1/uploads/{ground}")[0] == 409
    client.post(f"/v1/jobs/{job}/cancel")
    assert client.delete(f"/v1/uploads/{ground}").json()["removed"] == [ground]


def test_a_photograph_is_deleted_with_its_cut_outs_once_no_order_needs_it(
    client: Client, gateway: Gateway
) -> None:
    photo = upload(client, picture(92))
    cut_outs = [keys.cut_out(client.tenant, "123456789abc", photo, matte) for matte in (None, NOBODY)]
    for cut_out in cut_outs:
        gateway.store.put(cut_out, b"matte")
    job = client.post("/v1/jobs", json=order(photo)).json()["id"]
    status, error = client.error("DELETE", f"/v1/uploads/{photo}")
    assert (status, error["message"].startswith(f"job {job} needs this picture; cancel it")) == (409, True)
    client.post(f"/v1/jobs/{job}/cancel")
    assert client.delete(f"/v1/uploads/{photo}").json()["removed"] == [photo]
    assert not any(exists(gateway.store, cut_out) for cut_out in cut_outs)
    assert client.error("DELETE", f"/v1/uploads/{photo}")[0] == 404
