"""The report in a browser: no error, and every control does what it says.

A script is put at the end of the page (and its hash into the policy of the page), which clicks, and
writes what it finds into the title; Chromium prints the page after that.
"""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess

import pytest
from test_report import EVIL, full, runs, signalled  # noqa: F401

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on the PATH; test_report.py reads the page without one"
)

PLAY = """
const found = { errors: [] };
window.addEventListener("error", (event) => found.errors.push(event.message));
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const one = (selector, from = document) => from.querySelector(selector);
try {
  found.ready = document.documentElement.dataset.ready;
  found.stolen = document.title === "broken";

  // The table of runs: its headings sort, up and then down.
  const table = one("#runs table");
  const column = all("th", table).findIndex((th) => th.textContent.includes("validation loss"));
  const values = () => [...table.tBodies[0].rows].map((row) => Number(row.cells[column].textContent));
  const heading = all("th", table)[column];
  one("button", heading).click();
  found.ascending = values();
  found.sorted = heading.getAttribute("aria-sort");
  one("button", heading).click();
  found.descending = values();

  // The legend: a click hides a run.
  const chart = one("#curves svg");
  const paths = () => all("path.curve", chart).length;
  found.legend = all(".legend button").map((entry) => entry.textContent);
  found.before = paths();
  all(".legend button")[1].click();
  found.after = paths();
  found.pressed = all(".legend button").map((entry) => entry.getAttribute("aria-pressed"));
  one("[data-do=none]").click();
  found.none = paths();
  one("[data-do=all]").click();
  found.all = paths();
  one("[name=train]").click();
  found.validationOnly = paths();
  one("[name=train]").click();

  // Zoom: by a button, by dragging, by keys, and back.
  const view = () => one("#curves").dataset.view.split(" ").map(Number);
  found.whole = view();
  one("[data-do=in]").click();
  found.zoomed = view();
  one("[data-do=reset]").click();
  const box = chart.getBoundingClientRect();
  const pointer = (type, share, y = 0.5) => chart.dispatchEvent(new PointerEvent(type, {
    clientX: box.left + share * box.width, clientY: box.top + y * box.height, pointerId: 1, bubbles: true }));
  pointer("pointerdown", 0.3); pointer("pointermove", 0.6); pointer("pointerup", 0.6);
  found.dragged = view();
  chart.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
  found.panned = view();
  chart.dispatchEvent(new KeyboardEvent("keydown", { key: "0" }));
  found.back = view();

  // Hover: the nearest point is read out.
  const path = one("path.curve[stroke-width='1.9']", chart).getAttribute("d");
  const [x, y] = path.match(/M([0-9.]+) ([0-9.]+)/).slice(1).map(Number);
  pointer("pointermove", x / 960, y / 400);
  found.readout = one("#curves .readout").textContent;

  // Another quantity.
  const select = one("#curves select");
  select.value = "accuracy";
  select.dispatchEvent(new Event("change"));
  found.accuracy = view();
  found.log = one("[name=log]").checked;

  // Health: a canvas for each signal, with its own words.
  found.canvases = all("#health canvas[role=img]").map((canvas) => canvas.getAttribute("aria-label"));
  found.layers = all("#health li").map((entry) => entry.textContent);
} catch (error) {
  found.errors.push(String(error));
}
const result = document.createElement("pre");
result.id = "result";
result.textContent = JSON.stringify(found);
document.body.append(result);
"""


def with_script(text, script):
    """The page with a script of ours at its end, allowed by its policy."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = text.replace("script-src ", f"script-src 'sha256-{digest}' ")
    return text.replace("</body>", f"<script>{script}</script></body>")


def browse(path, folder):
    arguments = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={folder / 'profile'}", "--window-size=1200,1600", "--enable-logging=stderr",
        "--virtual-time-budget=2000", "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    return subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=True)


@pytest.fixture(scope="module")
def played(full, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("browser")
    path = folder / "report.html"
    path.write_text(with_script(full.read_text(encoding="utf-8"), PLAY), encoding="utf-8")
    done = browse(path, folder)
    assert "CONSOLE" not in done.stderr, done.stderr
    found = re.search(r'<pre id="result">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    assert found, done.stdout[-2000:]
    return json.loads(html.unescape(found[1]))


def test_the_page_opens_without_errors(played):
    assert played["errors"] == []
    assert played["ready"] == "true"
    assert not played["stolen"]


def test_headings_sort(played):
    assert played["ascending"] == sorted(played["ascending"])
    assert played["descending"] == played["ascending"][::-1]
    assert len(set(played["ascending"])) == 3
    assert played["sorted"] == "ascending"


def test_legend_entries_hide_and_show(played):
    assert played["legend"] == ["one", EVIL, "three"]
    assert played["before"] == 6  # training and validation of three runs
    assert played["after"] == 4
    assert played["pressed"] == ["true", "false", "true"]
    assert played["none"] == 0
    assert played["all"] == 6
    assert played["validationOnly"] == 3


def test_zoom_by_button_by_dragging_and_by_keys(played):
    low, high = played["whole"][:2]
    assert low == 1 and high >= 5
    assert played["zoomed"][1] - played["zoomed"][0] == pytest.approx((high - low) / 2, rel=0.01)
    # The chart lies between 62 and 946 of 960 units: shares 0.3 and 0.6 are these epochs.
    expected = [low + (share * 960 - 62) / 884 * (high - low) for share in (0.3, 0.6)]
    assert played["dragged"][:2] == pytest.approx(expected, rel=0.01)
    shift = (expected[1] - expected[0]) / 4
    assert played["panned"][:2] == pytest.approx([e + shift for e in expected], rel=0.01)
    assert played["back"] == played["whole"]


def test_hover_and_quantities(played):
    assert re.fullmatch(r"one: validation loss [\d.]+ at epoch 1", played["readout"])
    assert played["log"] is False
    assert 0 <= played["accuracy"][2] < played["accuracy"][3] <= 1.1


def test_heat_maps_say_what_they_show(played):
    (label,) = played["canvases"]
    assert re.fullmatch(
        r"gradient norm \(log scale\): 2 layers over epochs 1 to \d, from 1 to \d", label
    )
    assert played["layers"] == ["1_Dense", "3_" + EVIL]
