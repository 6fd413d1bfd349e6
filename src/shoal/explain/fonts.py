"""Fonts: one for Chinese, found among those of the system, and never boxes in place of characters.

Matplotlib's own font has no Chinese. Names below are those of free fonts and of those that come
with common systems. A font that was installed after matplotlib made its list is found by its file.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from shoal.errors import FileError

LATIN = "DejaVu Sans"
"""Comes with matplotlib."""

FAMILIES = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN",
    "Noto Sans CJK JP", "Noto Sans CJK TC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Microsoft YaHei", "SimHei", "PingFang SC", "Heiti SC", "STHeiti", "Hiragino Sans GB",
    "Arial Unicode MS", "Noto Serif CJK SC", "Source Han Serif SC", "SimSun", "Songti SC",
    "Droid Sans Fallback", "AR PL UMing CN", "AR PL UKai CN",
)  # fmt: skip
FILES = ("cjk", "notosanssc", "sourcehan", "wqy", "msyh", "simhei", "pingfang", "stheiti",
         "droidsansfallback", "uming", "ukai")  # fmt: skip
"""What file names of such fonts contain."""

NEEDED = "轮次损失"
"""Characters that a Chinese font surely has."""


def chinese() -> str:
    """The family of a Chinese font.

    Raises:
        FileError: the system has none.
    """
    for family in FAMILIES:
        if family in _known():
            return family
    for family in _unlisted():
        return family
    raise FileError(
        "a picture in Chinese",
        required="a font with Chinese characters",
        got="none that matplotlib can find",
        remedy="install one, such as the package fonts-noto-cjk, or ask for language='en'",
    )


def families() -> list[str]:
    """Fonts in the order in which they are tried for each character."""
    try:
        return [LATIN, chinese()]
    except FileError:
        return [LATIN]


def _known() -> set[str]:
    from matplotlib import font_manager

    return {font.name for font in font_manager.fontManager.ttflist}


def _unlisted() -> Iterator[str]:
    """Families of Chinese fonts that lie on the disk and are not in matplotlib's list."""
    from matplotlib import font_manager

    for path in font_manager.findSystemFonts():
        if any(part in Path(path).name.lower() for part in FILES):
            try:
                font_manager.fontManager.addfont(path)
                font = font_manager.get_font(path)
            except (OSError, RuntimeError):
                continue  # a broken font file is as good as none
            if set(map(ord, NEEDED)) <= set(font.get_charmap()):
                yield str(font.family_name)


@lru_cache(maxsize=16)
def _characters(family: str) -> frozenset[int]:
    from matplotlib import font_manager

    path = font_manager.findfont(family, fallback_to_default=True)
    return frozenset(font_manager.get_font(path).get_charmap())


def writable(text: str, allowed: list[str]) -> str:
    """The text with every character that no font has written by its number.

    >>> writable("a\\U000103a0", ["DejaVu Sans"])
    'a\\\\u103a0'
    """
    known = frozenset().union(*(_characters(family) for family in allowed))
    return "".join(c if ord(c) in known or c == "\n" else f"\\u{ord(c):x}" for c in text)
