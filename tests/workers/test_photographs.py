"""What a worker learns from a photograph is kept by its content and by that of its matte."""

import hashlib
import io

from PIL import Image

from prodgen.bundled import bundled_folders, bundled_photographs
from prodgen.generation.request import Request
from prodgen.photographs.studio import load_studio
from prodgen.spec.finish import Finish
from prodgen.spec.order import ImageRequest
from prodgen.storage import keys
from prodgen.storage.base import exists
from tests.ledger.memory import MemoryStore
from workers.generate.photographs import PictureResponse


def test_a_corrected_cut_out_is_learnt_once_beside_the_one_of_the_cutter(memory: MemoryStore) -> None:
    folder = next(folder for folder in bundled_folders() if folder.name == "studio-grabcut")
    studio, file, size = load_studio(folder, folder.name), bundled_photographs()[0], (40, 48)
    buffer, matte = io.BytesIO(), Image.new("L", size)
    Image.open(file).resize(size).save(buffer, "PNG")
    photo = upload(memory, buffer.getvalue())
    buffer = io.BytesIO()
    matte.paste(255, (10, 10, 30, 40))
    matte.save(buffer, "PNG")
    own = upload(memory, buffer.getvalue())

    def made(matte: str | None) -> bytes:
        image = ImageRequest(0, 0, 0, {"colour": "original", "scene": "white"}, photo=photo, matte=matte)
        request = Request(studio, [image], finish=Finish(size=64), tenant="acme")
        (picture,) = PictureResponse(memory, studio, request)
        return picture.data

    cut, corrected = made(None), made(own)
    assert cut != corrected
    for one in (None, own):
        assert exists(memory, keys.cut_out("acme", studio.digest, photo, one))
    memory.delete([keys.upload("acme", own)])
    assert (made(None), made(own)) == (cut, corrected), "it was learnt again"


def upload(store: MemoryStore, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    store.put(keys.upload("acme", digest), data)
    return digest
