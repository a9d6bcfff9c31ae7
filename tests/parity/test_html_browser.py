"""The HTML report in a real browser: no error in its console, tables that sort by keys, a page that fits its screen."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from albert_export.parity import check_parity
from tests.parity.conftest import MakeBundle, MakeCheckpoint
from tests.parity.samples import missing

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(
    BROWSER is None,
    reason="no chromium here; install it with `apt install chromium`, as root, or put Chrome on the PATH",
)

#: Where screenshots are kept, to be looked at; nowhere by default.
SHOTS = os.environ.get("ALBERT_EXPORT_TEST_SHOTS")

SCREENS = {"phone": (390, 844, 2, True), "desktop": (1280, 900, 1, False)}


class Browser:
    """A page of a headless browser, driven by its debugging protocol over a websocket of our own."""

    def __init__(self, address: str) -> None:
        host, path = re.fullmatch(r"ws://([^/]+)(/.*)", address).groups()  # type: ignore[union-attr]
        name, port = host.split(":")
        self._socket = socket.create_connection((name, int(port)), timeout=60)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._file = self._socket.makefile("rb")
        while self._file.readline() not in (b"\r\n", b""):
            pass
        self._count = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol; events that come meanwhile are kept."""
        self._count += 1
        self._send(json.dumps({"id": self._count, "method": method, "params": params}).encode())
        while True:
            message = self._receive()
            if message.get("id") == self._count:
                assert "error" not in message, message
                return dict(message["result"])
            self.events.append(message)

    def value(self, expression: str) -> Any:
        """Return what an expression of JavaScript gives."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press a key and let it go."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                      **({"text": text} if text and kind == "keyDown" else {}))  # fmt: skip

    def open(self, page: Path) -> None:
        """Load a file, and wait until it is there."""
        self.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())

    def _send(self, data: bytes) -> None:
        mask = os.urandom(4)
        length = len(data)
        head = bytes([0x81]) + (
            bytes([0x80 | length]) if length < 126 else bytes([0x80 | 126]) + length.to_bytes(2, "big")
        )
        self._socket.sendall(head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(data)))

    def _receive(self) -> dict[str, Any]:
        data, final = b"", False
        while not final:
            first, second = self._file.read(2)
            length = second & 0x7F
            if length > 125:
                length = int.from_bytes(self._file.read(2 if length == 126 else 8), "big")
            data += self._file.read(length)
            final = bool(first & 0x80)
        return dict(json.loads(data))

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@contextlib.contextmanager
def running(profile: Path) -> Iterator[Browser]:
    """Start a browser, give its one page, and end it."""
    assert BROWSER is not None
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0",
               "--disable-dev-shm-usage", "--disable-background-networking", "--hide-scrollbars",
               f"--user-data-dir={profile}", "about:blank"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            page = _connected(process, profile / "DevToolsActivePort")
            for domain in ("Page", "Runtime", "Log", "Network"):
                page.call(f"{domain}.enable")
            yield page
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _connected(process: subprocess.Popen[bytes], told: Path) -> Browser:
    import urllib.request

    while not (told.is_file() and told.read_text().strip().count("\n")):
        assert process.poll() is None, "the browser ended"
        time.sleep(0.05)
    port = told.read_text().splitlines()[0]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy for this machine itself
    with opener.open(f"http://127.0.0.1:{port}/json/list") as listed:
        (page,) = [each for each in json.load(listed) if each["type"] == "page"]
    return Browser(page["webSocketDebuggerUrl"])


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The report with everything in it, loaded."""
    folder = tmp_path_factory.mktemp("browser")
    (folder / "report.html").write_text(missing().to_html(), encoding="utf-8")
    with running(folder / "profile") as page:
        page.open(folder / "report.html")
        yield page
        page.close()


def check_quiet(browser: Browser) -> None:
    """Check that the page said nothing in the console, and loaded nothing."""
    browser.value("1")  # what the page said has come before the answer
    methods = {event["method"]: event["params"] for event in browser.events}
    for said in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
        assert said not in methods, methods[said]
    requests = [event["params"].get("request") for event in browser.events if event["method"].startswith("Network.")]
    asked = [request["url"] for request in requests if request]
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_nothing_is_said_in_the_console_and_nothing_is_loaded(browser: Browser) -> None:
    check_quiet(browser)
    assert browser.value("document.title") == "Parity missed: question-answering", "hostile text ran"


def test_a_table_sorts_by_keys_alone(browser: Browser) -> None:
    column = "[...document.querySelectorAll('#outputs tbody tr')].map((row) => Number(row.cells[4].dataset.value))"
    heading = "document.querySelectorAll('#outputs thead th')[4]"
    before = browser.value(column)
    assert before != sorted(before), "the sample must not be in order"
    browser.value(f"{heading}.querySelector('button').focus()")
    browser.press("Enter", 13, "\r")
    assert browser.value(column) == sorted(before)
    assert browser.value(f"{heading}.getAttribute('aria-sort')") == "ascending"
    browser.press(" ", 32, " ")
    assert browser.value(column) == sorted(before, reverse=True)
    assert browser.value(f"{heading}.getAttribute('aria-sort')") == "descending"
    assert browser.value("document.querySelectorAll('#outputs [aria-sort]').length") == 1


def test_the_matrix_sorts_within_its_groups(browser: Browser) -> None:
    bodies = "[...document.querySelectorAll('.matrix tbody')]"
    names = f"{bodies}.map((body) => [...body.rows].map((row) => row.cells[0].textContent))"
    shares = f"[...{bodies}[0].rows].slice(1).map((row) => Number(row.cells[1].dataset.value))"
    before = browser.value(names)
    browser.value("document.querySelectorAll('.matrix thead th')[1].querySelector('button').focus()")
    browser.press("Enter", 13, "\r")
    after = browser.value(names)
    assert before != after
    assert browser.value(shares) == sorted(browser.value(shares))
    assert [group[0] for group in after] == [group[0] for group in before] == ["cases", "checks", "data"]
    assert [sorted(group) for group in after] == [sorted(group) for group in before]


def test_a_cell_of_the_matrix_tells_more_by_keys(browser: Browser) -> None:
    details = "document.querySelector('.matrix td.missed details')"
    browser.value(f"{details}.querySelector('summary').focus()")
    assert browser.value(f"{details}.querySelector('p').checkVisibility()") is False
    browser.press("Enter", 13, "\r")
    assert browser.value(f"{details}.open") is True
    assert browser.value(f"{details}.querySelector('p').checkVisibility()") is True
    assert "end_logits" in browser.value(f"{details}.querySelector('p').textContent")


def test_tabulator_goes_to_the_matrix_first(browser: Browser) -> None:
    browser.value("document.activeElement.blur(); window.getSelection().removeAllRanges(); window.scrollTo(0, 0)")
    browser.value("document.body.tabIndex = -1; document.body.focus()")
    browser.press("Tab", 9)
    assert browser.value("document.activeElement.textContent") == "To the matrix"


def test_the_report_of_a_real_run_opens(bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint, tmp_path: Path) -> None:
    report = check_parity(bundle_of("question-answering"), model=checkpoint_of("question-answering"), depth=True)
    assert report.ok, report.summary_table()
    (tmp_path / "report.html").write_text(report.to_html(), encoding="utf-8")
    with running(tmp_path / "profile") as page:
        page.open(tmp_path / "report.html")
        check_quiet(page)
        assert page.value("document.title") == "Parity holds: question-answering"
        cells = page.value("[...document.querySelectorAll('.matrix tbody td')].map((cell) => cell.textContent)")
        assert len(cells) == len(report.artifacts[0].cases) + len(report.artifacts[0].checks)
        assert all(cell.startswith(("✓", "–")) for cell in cells), cells
        assert page.value("document.querySelectorAll('#depth svg, #errors svg').length") == 3
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_the_page_fits_its_screen_and_can_be_read_on_it(browser: Browser, screen: str, scheme: str) -> None:
    width, height, ratio, mobile = SCREENS[screen]
    browser.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=ratio, mobile=mobile
    )
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.value("document.activeElement.blur(); window.scrollTo(0, 0)")
    assert browser.value("document.documentElement.scrollWidth") == width, "the page itself scrolls to the side"
    contrast, worst = browser.value(LEAST_CONTRAST)
    assert contrast >= 4.5, worst
    picture = base64.b64decode(browser.call("Page.captureScreenshot", captureBeyondViewport=bool(SHOTS))["data"])
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20], "big") == width * ratio
    if SHOTS:
        Path(SHOTS, f"{screen}-{scheme}.png").write_bytes(picture)


#: The least contrast of a text to what is behind it, and that text, by the formula of WCAG 2.
LEAST_CONTRAST = """
(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).map((part) => part / 255)
      .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((numbers(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  let least = 21, worst = "";
  for (const element of document.querySelectorAll("body *:not(script)")) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
    const style = getComputedStyle(element);
    const ink = light(element instanceof SVGElement ? style.fill : style.color), page = light(behind(element));
    const contrast = (Math.max(ink, page) + 0.05) / (Math.min(ink, page) + 0.05);
    if (contrast < least) [least, worst] = [contrast, `${element.tagName}: ${element.textContent}`];
  }
  return [least, worst];
})()
"""
