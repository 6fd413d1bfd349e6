"""Words and fonts: every phrase is translated, texts of users stay whole, boxes never appear."""

import ast
import re
import string
from pathlib import Path

import pytest
from matplotlib import font_manager

import shoal as sh
from shoal.errors import DataError, FileError
from shoal.explain import fonts
from shoal.explain.language import PHRASES, words
from shoal.explain.page import page
from shoal.train.member import Status

EXPLAIN = Path(sh.__file__).parent / "explain"
HAN = re.compile(r"[\u4e00-\u9fff]")
has_font = True
try:
    fonts.chinese()
except FileError:
    has_font = False


def fields(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


@pytest.mark.parametrize("phrase", PHRASES)
def test_every_phrase_has_its_chinese_with_the_same_values(phrase):
    assert HAN.search(PHRASES[phrase])
    assert fields(PHRASES[phrase]) == fields(phrase)


def test_every_phrase_that_pictures_say_is_in_the_table():
    """Texts given to ``say`` as they stand in the source."""
    said = set()
    for path in EXPLAIN.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say" and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    said.add(first.value)
    assert len(said) > 30
    assert said <= set(PHRASES)
    assert {status.sentence for status in Status} <= set(PHRASES)


def test_another_language_is_refused():
    with pytest.raises(DataError, match="language needs 'en' or 'zh', got 'fr'"):
        words("fr")


def test_without_a_chinese_font_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(fonts, "_known", lambda: {fonts.LATIN})
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    net = sh.Net(sh.Dense(2))
    with pytest.raises(FileError, match="install one, such as the package fonts-noto-cjk"):
        sh.draw_network(net, (3,), tmp_path / "n.png", language="zh")
    assert not (tmp_path / "n.png").exists()
    assert fonts.families() == [fonts.LATIN]


def test_a_broken_font_file_is_passed_over(monkeypatch, tmp_path):
    broken = tmp_path / "NotoSansCJK-broken.ttf"
    broken.write_bytes(b"no font")
    monkeypatch.setattr(fonts, "_known", lambda: {fonts.LATIN})
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(broken)])
    with pytest.raises(FileError, match="a font with Chinese characters"):
        fonts.chinese()


@pytest.mark.skipif(not has_font, reason="no font with Chinese characters on this machine")
def test_pictures_in_chinese_have_no_missing_character(tmp_path):
    """Matplotlib warns of characters that a font lacks, and warnings are errors here."""
    with page(tmp_path / "all.png", 8, 20, "zh") as (figure, say):
        text = "\n".join(say(phrase, **dict.fromkeys(fields(phrase), "x")) for phrase in PHRASES)
        figure.text(0, 0, text)
    assert r"\u" not in "".join(fonts.writable(t, fonts.families()) for t in PHRASES.values())


def test_texts_of_users_are_shown_as_they_are(monkeypatch, tmp_path):
    """No formula begins at a dollar, and characters without a font become numbers, not boxes."""
    monkeypatch.setattr(fonts, "families", lambda: [fonts.LATIN])
    with page(tmp_path / "p.svg", 3, 2) as (figure, _):
        axes = figure.add_subplot()
        axes.set_title("$x_1")
        axes.set_xlabel("a \u8f6e b")
        axes.set_xticks([0, 1], ["$5", "\u8f6e"])
    assert axes.get_title() == "$x_1"
    assert axes.get_xlabel() == r"a \u8f6e b"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["$5", r"\u8f6e"]
