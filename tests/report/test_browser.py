"""The page in a real browser: it follows light and dark, fits a phone, and says nothing amiss."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape

import pytest
from PIL import Image

from compress.report.page import render

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
SCHEMES = {"dark": 0, "light": 1}  # Blink's PreferredColorScheme
SURFACES = {"light": (255, 255, 255), "dark": (16, 19, 23)}
LEAST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3, for text of ordinary size

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no browser: `make browser`")

# What the page cannot be asked from outside: its policy forbids scripts, so that a copy without
# the policy is asked. Each text is compared with the surface that it really stands on.
PROBE = """
<script>
function rgb(text) { return text.match(/[\\d.]+/g).map(Number); }
function light(c) {
  const [r, g, b] = c.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function under(e) {
  for (; e; e = e.parentElement) {
    const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c;
  }
}
addEventListener("load", () => {
  let least = 99, worst = "", texts = 0;
  for (const e of document.body.querySelectorAll("*")) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    const shown = e.getClientRects().length && !["SCRIPT", "title", "desc"].includes(e.tagName);
    if (!own || !shown) continue;
    const style = getComputedStyle(e);
    const a = light(rgb(e.tagName === "text" ? style.fill : style.color)), b = light(under(e));
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    texts++;
    if (contrast < least) { least = contrast; worst = e.outerHTML.slice(0, 80); }
  }
  const root = document.documentElement;
  const found = {
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    body: rgb(getComputedStyle(document.body).backgroundColor),
    ink: rgb(getComputedStyle(document.body).color),
    bars: [...document.querySelectorAll("svg path")].map(e => getComputedStyle(e).fill),
    texts, least, worst,
    width: root.clientWidth, needed: root.scrollWidth,
    letters: Math.min(...[...document.querySelectorAll("svg text")].map(
      e => parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a)),
    boxes: [...document.querySelectorAll(".scroll")]
      .filter(e => e.scrollWidth > e.clientWidth).length,
  };
  const text = JSON.stringify(found);
  if (parent === window) root.dataset.found = text; else parent.postMessage(text, "*");
});
</script>
"""
PHONE = """<!doctype html><html><body style="margin:0">
<iframe src="probe.html" style="width:{width}px;height:900px;border:0"></iframe>
<script>addEventListener("message", e => document.documentElement.dataset.found = e.data);</script>
</body></html>"""


def opened(path, profile, scheme, *options):
    """Open a file in a new browser; return its DOM and what it wrote to the console."""
    done = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--host-resolver-rules=MAP * ~NOTFOUND",  # the browser's own requests go nowhere either
            "--hide-scrollbars",
            "--enable-logging=stderr",
            "--virtual-time-budget=5000",
            f"--user-data-dir={profile}",
            f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
            *options,
            path.as_uri(),
        ],
        capture_output=True,
        check=True,
        timeout=120,
    )
    console = [
        line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line
    ]
    return done.stdout.decode(), console


def probed(text, tmp_path, scheme, width=None):
    bare, dropped = re.subn(r"<meta http-equiv=[^>]*>", "", text)
    assert dropped == 1
    page = tmp_path / "probe.html"
    page.write_text(bare.replace("</body>", PROBE + "</body>"), "utf-8")
    if width is not None:
        page = tmp_path / "phone.html"
        page.write_text(PHONE.format(width=width), "utf-8")
    dom, console = opened(
        page, tmp_path / "profile", scheme, "--window-size=1200,900", "--dump-dom"
    )
    assert console == []
    return json.loads(unescape(re.search(r'data-found="([^"]*)"', dom)[1]))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["lenet", "resnet50"])
def test_light_and_dark_are_both_readable(name, scheme, request, tmp_path):
    found = probed(render(request.getfixturevalue(name)), tmp_path, scheme)
    assert found["dark"] is (scheme == "dark")
    assert tuple(found["body"]) == SURFACES[scheme]
    after = {"light": "rgb(29, 95, 208)", "dark": "rgb(119, 168, 255)"}[scheme]
    assert after in found["bars"]
    assert found["texts"] > 100
    assert found["least"] >= LEAST_CONTRAST, found["worst"]


@pytest.mark.parametrize("width", [320, 400])
@pytest.mark.parametrize("name", ["lenet", "resnet50"])
def test_a_phone_scrolls_tables_and_not_the_page(name, width, request, tmp_path):
    found = probed(render(request.getfixturevalue(name)), tmp_path, "light", width)
    assert found["width"] == width
    assert found["needed"] <= width
    assert found["boxes"] >= 1
    assert found["letters"] >= 7.5  # CSS pixels, of a plot's smallest


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_as_it_ships_opens_without_a_word(scheme, resnet50, lenet, tmp_path):
    """Untouched, its policy in force: no error, no request, and the surface of the scheme."""
    for report in (lenet, resnet50):
        page, picture = tmp_path / f"{report.model}.html", tmp_path / f"{report.model}.png"
        page.write_text(render(report), "utf-8")
        log = tmp_path / f"{report.model}.log.json"
        _, console = opened(
            page,
            tmp_path / f"profile-{report.model}",
            scheme,
            "--window-size=1200,2000",
            f"--screenshot={picture}",
            f"--log-net-log={log}",
        )
        assert console == []
        assert requested(log) == set()
        with Image.open(picture) as image:
            assert image.size == (1200, 2000)
            assert image.convert("RGB").getpixel((2, 2)) == SURFACES[scheme]
            assert len(image.convert("RGB").getcolors(1 << 20)) > 50


def requested(log):
    """Return what the page asked for: a file's origin is null, the browser itself has none."""
    events = json.loads(log.read_text("utf-8"))["events"]
    asked = [event["params"] for event in events if "url" in event.get("params", {})]
    return {request["url"] for request in asked if request.get("initiator") == "null"}


def test_the_checks_see_what_they_look_for(tmp_path):
    """A page with faults: a word on the console, a picture from elsewhere."""
    page = tmp_path / "faulty.html"
    page.write_text(
        "<!doctype html><body><img src='http://127.0.0.1:9/x.png'>"
        "<script>console.error('amiss')</script>",
        "utf-8",
    )
    log = tmp_path / "log.json"
    _, console = opened(page, tmp_path / "profile", "light", "--dump-dom", f"--log-net-log={log}")
    assert any("amiss" in line for line in console)
    assert requested(log) == {"http://127.0.0.1:9/x.png"}


def test_the_probe_sees_what_it_looks_for(lenet, tmp_path):
    """A page with faults: grey on white, and a box wider than a phone."""
    text = render(lenet).replace("--muted: #545d6b", "--muted: #aaaaaa")
    wide = "<body><div style='width:500px'>wide</div>"
    found = probed(text.replace("<body>", wide), tmp_path, "light", 400)
    assert found["least"] < LEAST_CONTRAST
    assert found["needed"] > 400
