"""Make a folder of sprites of game items, for the recipe game-items, from sprites under CC0.

``git clone https://github.com/crawl/tiles``, then ``python -m tests.bench.game_items tiles sprites``

The project crawl/tiles releases sprites of Dungeon Crawl Stone Soup whose artists have given them to the
public domain (CC0), and lists those of unknown licence, which are left out here by their names. Each sprite
loses its hard shadow and moves to the middle of its canvas. Sprites of one name with another number are
variants of one item, so all of them are in the same split.
"""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from prodgen.errors import NotFound

RELEASES = ("Nov-2015/item", "Nov-2015/UNUSED", "Ancient/Oct-5-2010/item", "Ancient/Oct-5-2010/UNUSED")
SHIELDS = "Nov-2015/player/hand2"
SIDE, DARK, LEAST, FEWEST = 32, 8, 30, 30
"""Side of the sprites; level up to which a pixel is black; least number of pixels of an item, and of sprites
of a kind: a model learns fewer by heart, or not at all."""
LEFT_OUT = (
    r"/i-|brands/|barding|unused/(other|monsters|gui|features|spells|floor|emissaries)|_hide|dragon_scales|"
    r"shimmering|animal_skin|banded|splint|altar|mold|slot_melded|xom|chest|box|mirror|key\.|bone\.|honeycomb|"
    r"ambrosia|lump_of|chunk|misc_(phial|deck|disc|fan|horn|lamp|lantern|phantom|orb|quad|stone|rune)|lamp|"
    r"staff_mummy|throwing_net|needle|rock|boulder|stone\.|sling|blowgun|whip|scourge|serpent|_arrow|ankus|"
    r"green_mask|shield_skull|etheric_cage|urand_(botono|brilliance|eos|augment|bear\b|gyre|punk|snake|"
    r"elemental|resist|ignorance|maxwell|ratskin|finger)"
)
"""A pattern in the paths of what is no item, or an item of no kind below."""
KINDS = {
    "amulet": r"/amulet/",
    "ring": r"/rings?/",
    "potion": r"/potions?/|misc_bottle",
    "scroll": r"/scroll/",
    "book": r"/books?/",
    "food": r"/food/",
    "coins": r"/gold/|gold_pile",
    "gem": r"/runes/|misc_crystal",
    "staff": r"/(rod|staff|wand)/|rod_forked|wand_|quarterstaff|lajatang|spwpn_(staff|sceptre)",
    "boots": r"boots|urand_assassin",
    "gloves": r"glove|gauntlet|urand_(fencer|war)",
    "shield": r"shield|buckler|urand_(bullseye|gong)|boromir|gil-galad",
    "robe": r"cloak|robe|urand_(dragonskin|starlight|flash|folly|thief|clouds|misfortune|night|vines)",
    "hat": r"headgear|helmet|hat\d|cap\d|cap_|cornuthaum|crested|wizard_hat|urand_(alchemist|high_council|"
    r"pondering|dyrovepreva|eternal_torment|dragonmask)",
    "armour": r"/armour/",
    "crossbow": r"crossbow|arbalest|urand_(sniper|hellfire)",
    "bow": r"bow|urand_(krishna|piercer)",
    "axe": r"axe|tomahawk|wrath_of_trog|urand_arga",
    "hammer": r"hammer|mace|flail|morningstar|eveningstar|club|wucad_mu|urand_(skull|undead|shillelagh|order|"
    r"firestarter)",
    "spear": r"spear|halberd|bardiche|glaive|trident|trishula|scythe|urand_(guard|octopus|finisher|wyrmbane)",
    "sword": r"sword|dagger|knife|blade|katana|cutlass|falchion|scimitar|rapier|sabre|claymore|tsurugi|"
    r"vampires_tooth|majin|zonguldrok|cerebov|power|urand_(blood|chilly|cut|doom|flaming|jihad|kat|leech|morg|"
    r"plut|arc_)",
}
"""A pattern in the path of each kind's sprites. The first that matches decides."""
RARE = r"artefact|_art\d|_ego\d|urand|spwpn"


def main(clone: Path, out: Path) -> None:
    """Write the sprites of CLONE and their table attributes.csv to OUT."""
    listing = clone / "TILES_UNDER_UNKNOWN_LICENSE.md"
    if not listing.is_file():
        raise NotFound(f"{clone} is no clone of https://github.com/crawl/tiles")
    unknown = set(re.findall(r"[\w.-]+\.png", listing.read_text()))
    seen, found = set[bytes](), list[tuple[Path, str, str, NDArray[np.uint8]]]()
    for file, path, kind in _items(clone / "releases"):
        sprite = None if file.name in unknown else _sprite(file)
        if sprite is not None and sprite.tobytes() not in seen:
            seen.add(sprite.tobytes())
            found.append((file, path, kind, sprite))
    counts = Counter(kind for _, _, kind, _ in found)
    rows = []
    for file, path, kind, sprite in found:
        if counts[kind] < FEWEST:
            continue
        item = kind + re.sub(r"potion_|book_|urand_|spwpn_|[^a-z]", "", file.stem.lower())
        split = "train" if int(hashlib.sha256(item.encode()).hexdigest(), 16) % 9 else "test"
        target = out / split / kind / re.sub(r"[^a-z0-9.]+", "-", path.strip("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(sprite).save(target)
        rows.append((target.relative_to(out).as_posix(), split, kind, _rarity(kind, path)))
    with (out / "attributes.csv").open("w", newline="") as table:
        csv.writer(table).writerows([("file", "split", "kind", "rarity"), *rows])
    print(f"{len(rows)} sprites of {len({kind for *_, kind, _ in rows})} kinds: {out}")


def _items(releases: Path) -> Iterator[tuple[Path, str, str]]:
    """Yield each sprite's file, its path in lower case, and its kind; leave out what is no item."""
    for release in (*RELEASES, SHIELDS):
        for file in sorted((releases / release).rglob("*.png")):
            path = "/" + file.relative_to(releases).as_posix().lower()
            kind = next((kind for kind, pattern in KINDS.items() if re.search(pattern, path)), None)
            if kind and (kind == "shield" or release != SHIELDS) and not re.search(LEFT_OUT, path):
                yield file, path, kind


def _rarity(kind: str, path: str) -> str:
    """Return what a sprite's path says of its rarity; the second of three sorts of a weapon is neither."""
    if kind in ("food", "gem", "coins", "potion", "scroll"):
        return ""
    sort = re.search(r"2015/item/weapon.*[a-z_]([23])\.png", path)
    if sort:
        return "rare" if sort[1] == "3" else ""
    return "rare" if re.search(RARE, path) else "common"


def _sprite(file: Path) -> NDArray[np.uint8] | None:
    """Return a sprite (SIDE, SIDE, 4) in the middle of its canvas, without shadow; None if it is tiny."""
    image = Image.open(file).convert("RGBA")
    if image.size != (SIDE, SIDE):
        return None
    pixels = np.array(image)
    shown = pixels[..., 3] >= 128
    bright = (shown & (pixels[..., :3].max(-1) > DARK)).astype(np.uint8)
    # The shadow is all black that touches the ground, but for the item's outline, which is one pixel wide.
    far = shown & (cv2.dilate(bright, np.ones((3, 3), np.uint8)) == 0)
    _, areas = cv2.connectedComponents((far | ~shown).astype(np.uint8))
    shown &= ~(far & np.isin(areas, areas[~shown]))
    if shown.sum() < LEAST:
        return None
    pixels[..., 3] = 255
    pixels[~shown] = 0
    rows, columns = np.nonzero(shown)
    middle = [(SIDE - 1 - places.max() - places.min()) // 2 for places in (rows, columns)]
    return np.roll(pixels, middle, (0, 1))


if __name__ == "__main__":
    typer.run(main)
