"""Invented names of companies and sales people, in Latin, Japanese and Chinese script."""

import numpy as np
import numpy.typing as npt


def _words(*texts: str) -> tuple[tuple[str, ...], ...]:
    """Each text split at its spaces; an underscore stands for a space inside a name."""
    return tuple(tuple(word.replace("_", " ") for word in text.split()) for text in texts)


# Parts of names that sound like companies of the country. Likeness of a whole name to a real one is chance.
COMPANIES = {
    "latin": _words(
        "Al Bre Cor Dra El Fen Gal Hol Is Jor Kel Lum Mar Nor Or Pel",
        "ba dri fo gu lve mi nto pra ri sca ta vo",
        "dal gren lund mar nik ric sen tor vik zia",
        "_Antriebe _Componenti _Fittings _Industrie _Supplies _Technik _Tools _Works",
        "_GmbH _Ltd _S.r.l.",
    ),
    "japanese": _words(
        "霧 月 灯 笹 萩 暁 椿 鶴 雫 茜 楓 凪",
        "原 浜 杉 沢 淵 瀬 岬 里 坂 窪 森 橋",
        "機工 金属 産業 商会 精工 製作所 電材 物産",
        "株式会社 有限会社",
    ),
    "chinese": _words(
        "沐 澄 岚 禾 砚 桐 霖 钰 柏 昱 珞 苒",
        "川 屿 宸 垣 汀 麓 舟 沅 瑾 岩 朗 渝",
        "机电 五金 材料 自动化 包装 仪器 贸易 精密",
        "有限公司 科技有限公司",
    ),
}
PEOPLE = {  # family names, given names
    "latin": _words("Bergan Costel Dornau Ferrin Halden Ivarson Moretto Weyland", "Ada Ben Clea Dan Eva Finn Gia Hugo"),
    "japanese": _words("青山 石原 上野 岡本 川崎 高木 西村 三浦", "葵 海斗 咲 大輝 直美 陽子 亮 健"),
    "chinese": _words("陈 何 李 林 沈 王 徐 周", "晓明 静 伟 丽 建国 芳 强 敏"),
}


def company_names(script: str, count: int, rng: np.random.Generator) -> list[str]:
    """`count` company names in a script; none repeats until all combinations are used."""
    parts = COMPANIES[script]
    sizes = [len(part) for part in parts]
    total = int(np.prod(sizes))
    picked = rng.permutation(total)[np.arange(count) % total]
    digits = np.unravel_index(picked, sizes)
    return ["".join(part[i] for part, i in zip(parts, row, strict=True)) for row in zip(*digits, strict=True)]


def sales_names(script: str, numbers: npt.NDArray[np.int64]) -> list[str]:
    """The name of each sales person by number: 64 different people per script, then a numeral is added."""
    families, given = PEOPLE[script]
    names = []
    for number in numbers.tolist():
        family = families[number % len(families)]
        first = given[(number + number // len(families)) % len(given)]
        again = number // (len(families) * len(given))
        whole = f"{first} {family}" if script == "latin" else f"{family}{first}"
        names.append(f"{whole} {again + 1}" if again else whole)
    return names
