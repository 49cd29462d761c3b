"""The colour words of shops, in English and Chinese, each with its colour.

Some of these words are CSS names too, but CSS means colours that no cloth has: navy is too bright in CSS, and
forestgreen too vivid. In a prompt, and as the colour of a product in a photograph, a word means its colour in
this table, or else its colour in CSS. ``#rrggbb`` means exactly that colour.
"""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from PIL import ImageColor

from prodgen.spec.colour import Floats, delta_e_2000, levels, parse_colour, to_hex, to_lab

_TABLE = """
#1c1c1c | black; jet black; 黑
#2b2d30 | off black; 炭黑
#3b3d42 | charcoal; charcoal grey; anthracite; 炭灰
#8a8a8a | grey; slate; 灰
#a5a7ab | heather grey; silver; silver grey; 银; 银灰; 麻灰
#f5f5f2 | white; 白
#f3eee0 | off white; ivory; cream; ecru; 米白; 象牙; 奶白; 乳白
#e8dcc4 | oatmeal; bone; 米; 米黄
#d8c3a0 | beige; sand; nude; 沙; 裸
#cfc4b0 | stone; greige
#8f8072 | taupe; mink; 灰褐
#b3a16f | khaki; 卡其
#c9a27a | tan; nut
#b98a54 | camel; caramel; 驼; 焦糖
#9a6b3f | cognac; 干邑
#b08a66 | light brown; 浅棕; 浅褐; 浅咖
#6b4226 | brown; 棕; 褐; 咖啡; 咖
#4a2c1d | chocolate; chocolate brown; espresso; coffee; dark brown; 巧克力; 深棕; 深咖
#a5502f | rust; rust orange; 铁锈; 铁锈红; 砖
#c4633f | terracotta; burnt orange; 陶土; 赤陶
#b5763a | copper; bronze; 铜; 古铜
#d4a017 | mustard; mustard yellow; ochre; 姜黄; 芥末黄; 芥黄
#c9a74a | gold; golden; 金
#f0c93a | yellow; 黄
#e8ff3a | neon yellow; fluorescent yellow; 荧光黄
#f4e27a | lemon; lemon yellow; 柠檬黄; 鹅黄
#e87722 | orange; 橙; 橘; 桔
#f7b98f | peach; apricot; 杏; 桃
#f07a63 | coral; salmon; 珊瑚; 珊瑚红
#b01e2e | red; 红
#a3112a | crimson; cherry red; cherry; 绯红; 樱桃红
#c3202f | scarlet; poppy red; 大红; 朱红; 猩红; 正红
#6d1f33 | burgundy; burgundy red; wine; wine red; oxblood; bordeaux; 酒红; 枣红
#5e1b25 | maroon; 栗
#f2b8c6 | pink; light pink; 粉; 粉红
#f6cfd6 | blush; blush pink; pastel pink; baby pink; powder pink; 淡粉; 浅粉红
#c79a9e | dusty rose; dusty pink; old rose; mauve; 豆沙; 藕粉; 藕
#ff4f9a | hot pink; fuchsia; 玫粉; 亮粉
#b3245f | magenta; raspberry; rose red; 玫红; 玫瑰红; 洋红
#6b3fa0 | purple; violet; 紫
#4a2166 | deep purple; aubergine; eggplant; plum; 深紫; 茄; 梅
#b9a7d6 | lavender; 薰衣草; 薰衣草紫; 浅紫; 淡紫
#c8a2c8 | lilac; 丁香; 丁香紫; 香芋紫
#2a5caa | blue; 蓝
#1f2a44 | navy; navy blue; midnight; midnight blue; 藏青; 藏蓝; 海军蓝; 午夜蓝
#1f2f5c | dark blue; 深蓝
#2b4fb3 | royal blue; cobalt; cobalt blue; 宝蓝; 宝石蓝; 皇家蓝; 克莱因蓝
#2d2f6b | indigo; 靛; 靛蓝; 靛青
#4a6a92 | denim blue; jeans blue; 牛仔蓝
#7189a6 | steel blue; slate blue; dusty blue; 雾霾蓝; 灰蓝
#8fc1e8 | sky blue; 天蓝
#b5cfe8 | light blue; baby blue; powder blue; ice blue; pale blue; 浅蓝; 淡蓝; 冰蓝
#1f7a7a | teal; petrol; 蓝绿; 孔雀绿; 孔雀蓝; 鸭绿; 青
#3fbfbf | turquoise; aqua; 绿松石; 湖蓝; 青绿
#a8dcc5 | mint; mint green; 薄荷; 薄荷绿
#9caf88 | sage; sage green; 鼠尾草; 鼠尾草绿; 灰绿; 豆绿
#6b6b35 | olive; olive green; 橄榄; 橄榄绿
#5a5f3a | army green; military green; 军绿
#2f7d3b | green; 绿
#2c4a34 | forest green; forest; hunter green; racing green; 森林绿; 松绿
#23433a | bottle green; pine; pine green; 墨绿; 深墨绿
#0f7a55 | emerald; emerald green; 祖母绿; 翠绿
#a4c639 | lime; lime green; 草绿; 柠檬绿; 果绿
"""
ALIKE = 20.0
"""The greatest difference (CIEDE2000) between a colour and the named colour that `nearest` finds for it."""
MODIFIERS = {
    "dark": (0.60, 0.0, 0.70),
    "light": (0.33, 67.0, 0.45),
    "bright": (0.85, 15.0, 1.30),
    "muted": (0.95, 5.0, 0.50),
}
"""Words that change a colour, each with (a, b, c): the new lightness is a x lightness + b, the new chroma
is c x chroma."""
MODIFIER_WORDS = {
    "dark": "dark deep rich 深 暗",
    "light": "light pale pastel soft 浅 淡",
    "bright": "bright vivid neon fluorescent electric 亮 鲜 荧光",
    "muted": "muted dusty faded greyish grayish 灰调",
}


@cache
def colour_words() -> dict[str, str]:
    """Return a dict of colour name -> #rrggbb: the names of the table, and CSS names.

    English names are in lower case, with and without spaces. Chinese names are with and without 色.
    """
    named = {name: parse_colour(name) for name in ImageColor.colormap}
    for value, names in _rows():
        for name in names:
            for spelling in (name, name.replace("grey", "gray")):
                named[spelling] = named[spelling.replace(" ", "")] = value
            if not name.isascii():
                named[f"{name}色"] = value
    return named


def product_colour(text: str) -> str:
    """Return the colour of a product that a shop means by ``text``, as #rrggbb.

    ``text`` is a word of the table, in any case and with or without spaces and hyphens, or a CSS colour.
    Raises ValueError if it is neither.
    """
    joined = "".join(text.split()).replace("-", "").lower()
    return colour_words().get(joined) or parse_colour(text)


@cache
def colour_names() -> dict[str, list[tuple[str, str]]]:
    """Return, by language (en, zh), pairs of a colour (#rrggbb) and its name: the first name in the table.

    If CSS means another colour by a name of the table, the CSS colour is in the list too, with that name.
    """
    found: dict[str, list[tuple[str, str]]] = {"en": [], "zh": []}
    for value, names in _rows():
        english = [name for name in names if name.isascii()]
        chinese = [name for name in names if not name.isascii()]
        found["en"] += [(value, name) for name in english[:1]]
        found["zh"] += [(value, f"{name}色") for name in chinese[:1]]
        for name in english:
            if name.replace(" ", "") in ImageColor.colormap:
                css = parse_colour(name)
                found["en"].append((css, name))
                found["zh"] += [(css, f"{word}色") for word in chinese[:1]]
    return found


def _rows() -> Iterator[tuple[str, list[str]]]:
    """Yield each colour of the table as #rrggbb, and its names."""
    for line in _TABLE.strip().splitlines():
        value, names = line.split(" | ")
        yield value, names.split("; ")


def modify(colour: str, modifier: str) -> str:
    """Return a colour (#rrggbb) changed by ``modifier``: dark, light, bright or muted (see `MODIFIERS`)."""
    scale, shift, chroma = MODIFIERS[modifier]
    lightness, a, b = _lab(colour)
    return to_hex((lightness * scale + shift, a * chroma, b * chroma))


def nearest(colour: str, named: Sequence[tuple[str, str]], farthest: float = ALIKE) -> str | None:
    """Return the name of the colour in ``named`` that looks most like ``colour`` (#rrggbb).

    Returns None if each colour in ``named`` differs by more than ``farthest`` (CIEDE2000). ``named`` holds
    pairs of #rrggbb and name.
    """
    table = to_lab(np.array([levels(value) for value, _ in named], np.uint8))
    distances = delta_e_2000(_lab(colour), table)
    best = int(distances.argmin())
    return named[best][1] if distances[best] <= farthest else None


def _lab(colour: str) -> Floats:
    return to_lab(np.array(levels(colour), np.uint8))
