"""Words for products and their looks, in English and Chinese, that prompts may use for any model.

A line of a table is ``concept < broader concept: other words``. If a model lacks the concept of a word, the
word means the nearest broader concept that the model has.
"""

from functools import cache
from typing import NamedTuple

_CATEGORIES = """
top: tops; 上衣
t-shirt < top: tee; tshirt; crop top; polo; polo shirt; T恤; T恤衫; 短袖; 体恤; polo衫
tank-top < t-shirt: tank; singlet; undershirt; 背心; 吊带
shirt < top: dress shirt; button down; button up; 衬衫; 衬衣; 衬衫上衣
blouse < shirt: 女衬衫; 雪纺衫
long-sleeve < top: longsleeve; long sleeve top; long sleeve shirt; long sleeved top; long sleeve tee; \
long sleeve t shirt; 长袖; 长袖上衣; 长袖衫; 打底衫
pullover < long-sleeve: sweater; jumper; knitwear; jersey; 毛衣; 套头衫; 针织衫; 羊毛衫
hoodie < pullover: sweatshirt; hooded sweatshirt; 卫衣; 连帽衫; 帽衫
cardigan < pullover: 开衫; 针织开衫
outerwear: outwear; 外衣
coat < outerwear: overcoat; trench coat; trench; duffle coat; 大衣; 风衣; 呢大衣
jacket < outerwear: bomber; bomber jacket; blazer; windbreaker; parka; anorak; suit jacket; puffer jacket; \
raincoat; gilet; 外套; 夹克; 西装外套; 西装; 羽绒服; 冲锋衣; 棉服
dress: gown; sundress; shirt dress; maxi dress; 连衣裙; 长裙; 洋装; 礼服; 旗袍
skirt: miniskirt; kilt; 半身裙; 短裙; 裙子; 裙; 百褶裙
trousers: trouser; pants; chinos; slacks; sweatpants; joggers; leggings; tights; 裤子; 长裤; 裤; 休闲裤; \
西裤; 打底裤; 运动裤
jeans < trousers: jean; 牛仔裤
shorts: bermudas; 短裤; 热裤
shoes: shoe; footwear; 鞋; 鞋子; 皮鞋; 单鞋
sneaker < shoes: trainer; running shoe; tennis shoe; sports shoe; plimsoll; 运动鞋; 球鞋; 跑鞋; 板鞋; \
帆布鞋; 小白鞋
sandal < shoes: flip flop; slide; slider; slipper; 凉鞋; 拖鞋; 人字拖
boot < shoes: 靴子; 靴; 长靴
ankle-boot < boot: bootie; chelsea boot; short boot; 短靴; 踝靴; 切尔西靴
loafer < shoes: brogue; moccasin; oxford shoe; derby; 乐福鞋
heels < shoes: high heel; pump; stiletto; 高跟鞋
hat: headwear; wide brimmed hat; bucket hat; fedora; sun hat; 帽子; 帽; 渔夫帽; 草帽
cap < hat: baseball cap; beanie; beret; 鸭舌帽; 棒球帽; 毛线帽; 贝雷帽
bag: handbag; purse; tote; tote bag; shopping bag; clutch; clutch bag; shoulder bag; satchel; backpack; \
rucksack; crossbody; 包; 包包; 手提包; 手袋; 单肩包; 双肩包; 背包; 托特包; 斜挎包; 书包; 挎包
jumpsuit: dungarees; overalls; romper; playsuit; 连体裤; 背带裤
suit: tuxedo; 套装
scarf: shawl; 围巾; 丝巾; 披肩
sock: stocking; 袜子; 袜
glove: mitten; 手套
belt: 腰带; 皮带
tie: necktie; bow tie; 领带; 领结
underwear: bra; lingerie; boxers; 内衣; 内裤
swimwear: swimsuit; bikini; 泳衣; 比基尼
watch: 手表; 腕表
glasses: sunglasses; eyewear; 眼镜; 太阳镜; 墨镜
jewellery: jewelry; earring; necklace; ring; bracelet; 首饰; 耳环; 项链; 戒指; 手链
wallet: 钱包; 皮夹
umbrella: 雨伞
mug: cup; 杯子; 马克杯
furniture: chair; sofa; table; desk; lamp; shelf; 椅子; 沙发; 桌子; 餐桌; 桌; 灯; 柜子
bottle: vase; perfume; lipstick; 瓶子; 花瓶; 香水; 口红
phone: laptop; headphone; camera; 手机; 电脑; 耳机; 相机
amulet: talisman; 护身符
armour: armor; breastplate; 盔甲; 铠甲
axe: battle axe; hatchet; 斧头; 战斧
book: tome; spellbook; 书; 魔法书
gem: gemstone; 宝石
hammer: mace; war hammer; 锤子; 战锤
potion: elixir; 药水; 魔药
shield: buckler; 盾牌; 盾
spear: lance; halberd; 长矛; 矛
staff: wand; magic staff; 法杖; 魔杖
sword: dagger; 剑; 宝剑
"""
_PATTERNS = """
plain: solid; solid colour; unpatterned; no pattern; without pattern; without a pattern; without print; \
no print; unprinted; 纯色; 素色; 净色; 无图案; 无花纹; 无印花; 单色
patterned: pattern; print; printed; multicoloured; hawaiian; logo print; animal print; 图案; 花纹; 印花
striped < patterned: stripe; stripes; stripy; stripey; pinstripe; pinstriped; breton; 条纹; 横条纹; 竖条纹
checked < patterned: check; checks; checkered; chequered; plaid; tartan; gingham; 格子; 格纹
houndstooth < checked: 千鸟格
floral < patterned: flowery; flower; ditsy; 碎花; 花卉; 小碎花
dotted < patterned: polka dot; polka dots; polka dotted; dot; dots; spotted; 波点; 圆点
animal < patterned: leopard; leopard print; zebra; snake print; snakeskin; tiger; 豹纹; 斑马纹; 蛇纹; 动物纹
graphic < patterned: slogan; tie dye; tie dyed; camo; camouflage; paisley; 迷彩; 扎染; 卡通
"""
_MATERIALS = """
leather: faux leather; 皮; 皮质; 皮革; 真皮
suede: nubuck; 麂皮; 绒面
denim: 牛仔; 丹宁
cotton: jersey cotton; 棉; 纯棉; 棉质
linen: flax; 亚麻; 麻
wool: woolly; woollen; merino; tweed; 羊毛; 毛呢; 呢
cashmere: 羊绒
silk: silky; 丝绸; 真丝; 丝
satin: 缎; 缎面
velvet: 丝绒; 天鹅绒
knit: knitted; 针织
flannel: 法兰绒
fleece: 抓绒
corduroy: 灯芯绒
canvas: 帆布
nylon: polyester; 尼龙; 涤纶
lace: 蕾丝
metal: steel; gold plated; 金属
wood: wooden; oak; walnut; 木; 木质; 木制
marble: 大理石
concrete: 水泥
ceramic: porcelain; 陶瓷
glass: 玻璃
"""
_OTHERS = """
kids: kid; children; child; children's; boy; girl; toddler; 儿童; 童; 男童; 女童; 小孩
baby: infant; newborn; 婴儿; 宝宝
teen: teenager; youth; 青少年
adult: grown up; 成人
women: woman; ladies; women's; womens; female; her; 女士; 女式; 女款; 女; 女性
men: man; men's; mens; male; him; 男士; 男式; 男款; 男; 男性
unisex: 中性
summer: spring; autumn; fall; winter; seasonal; 夏季; 夏; 春; 春季; 秋; 秋季; 冬; 冬季
common: ordinary; 普通
rare: legendary; 稀有; 传说
elegant: luxury; minimal; minimalist; modern; vintage; retro; classic; casual; formal; sporty; chic; cosy; \
smart; trendy; stylish; fashionable; simple; nice; beautiful; cute; 时尚; 简约; 复古; 经典; 休闲; 优雅; \
可爱; 百搭
slim: loose; oversized; fitted; cropped; long; short; mini; midi; maxi; wide; tight; 修身; 宽松; 长款; 短款
moody: editorial; dramatic; cinematic; realistic; photorealistic; professional; catalogue; catalog
"""
_SCENES = """
studio: 影棚; 摄影棚; 棚拍
floor: ground level; 地板; 地面
beach: 海滩; 沙滩
street: city; 街头; 街
garden: park; forest floor; 花园
kitchen: 厨房
original: original colour; original colours; own colour; own colours; as is; natural colour; unchanged; \
原色; 本色; 原有颜色
"""


_TABLES = {
    "category": _CATEGORIES,
    "pattern": _PATTERNS,
    "material": _MATERIALS,
    "other": _OTHERS,
    "scene": _SCENES,
}


class Concept(NamedTuple):
    """The meaning of a word. ``chain`` is the word's concept, then the next broader concept, and so on."""

    kind: str
    chain: tuple[str, ...]


@cache
def concepts() -> dict[str, Concept]:
    """Return a dict of word -> concept. The words are in lower case, with spaces for hyphens."""
    found: dict[str, Concept] = {}
    for kind, table in _TABLES.items():
        broader: dict[str, str] = {}
        for line in table.strip().splitlines():
            head, _, words = line.partition(":")
            name, _, above = head.partition(" < ")
            if above:
                broader[name] = above
            chain = [name]
            while chain[-1] in broader:
                chain.append(broader[chain[-1]])
            for word in (name, *words.split(";")):
                plain = word.replace("-", " ").strip().casefold()
                found[plain] = Concept(kind, tuple(chain))
                found[plain.replace("colour", "color")] = found[plain]
    return found


def chinese_word(word: str) -> str | None:
    """Return the preferred Chinese word for an English word, or None if the vocabulary has none."""
    concept = concepts().get(word.replace("-", " ").casefold())
    return concept and _chinese().get(concept.chain[0])


@cache
def _chinese() -> dict[str, str]:
    found = {}
    for line in "".join(_TABLES.values()).strip().splitlines():
        head, _, words = line.partition(":")
        chinese = [word.strip() for word in words.split(";") if not word.strip().isascii()]
        if chinese:
            found[head.partition(" < ")[0]] = chinese[0]
    return found


_TO_FIFTEEN = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
NUMBERS = {word: number for number, word in enumerate(_TO_FIFTEEN.split(), 1)}
NUMBERS |= {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "hundred": 100}
NUMBERS |= {"couple": 2, "half a dozen": 6, "half dozen": 6, "dozen": 12}
_FUNCTION_WORDS = {
    "or": "or / 或 或者 还是 , 、",
    "and": "and & plus 和 与 及 以及 跟",
    "with": "with featuring over under wearing 带 带有 印有 配 搭配",
    "in": "in ; . 。 :",
    "on": "on against before onto",
    "ground": "background backdrop backing ground wall 背景 底 底色 背景色",
    "article": "a an one 一",
    "not": "no not without non 无 不 非 没有",
    "size": "size 码",
    "skip": "shot view photograph photographs generate create draw version versions variations the of for to "
    "is are be my our some any please show me i i'd i'm want would like need make it its put at as "
    "by this that these those from photo picture image pictures images photos give get have keep "
    "same product item set colour color colours colors coloured colored hex rgb pair pairs piece "
    "pieces style tone shade recolour recolor change something anything and/or pure standing lying "
    "laid front new more look looking "
    "的 色 在 上 里 我 要 想 请 款 做 成 用 为 是 件 条 双 个 顶 只 张 套 把 "
    "枚 瓶 颗 本 面 柄 副 给 保持 改成 换成 颜色 式 拍 图",
}
FUNCTIONS = {word: name for name, words in _FUNCTION_WORDS.items() for word in words.split()}
FUNCTIONS["in front of"] = "on"
"""The role in a prompt of each word that names no value, such as "with" or "background"."""
