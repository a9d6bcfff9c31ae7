"""Answer on the page that ``albert-export bundle --for web`` writes, by keyboard, on the screen of a phone.

What it reads and prints: ``clients.py``. Beside the answers it holds the page to what it promises: it asks no other
server for anything, tells no error, and is never wider than the screen.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from playwright.sync_api import Page, sync_playwright

#: Milliseconds for the model to be loaded, and for one answer.
LOADING, ANSWERING = 300_000, 60_000
#: Whether the worker that reads gets beyond the page's own rules: a server that is not there would fail otherwise.
ELSEWHERE = """async () => {
  const refused = new Promise((resolve) => self.addEventListener("securitypolicyviolation", () => resolve(false)));
  const later = () => new Promise((resolve) => setTimeout(() => resolve(true), 500));
  const asked = fetch("http://127.0.0.1:9/").then(() => true, later);
  return Promise.race([refused, asked]);
}"""
PHONE = {"width": 360, "height": 640}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Quiet(SimpleHTTPRequestHandler):
    """Serves a directory as any server of files does."""

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep standard output to the answers."""


def answer(page: Page, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Open the site and answer its records."""
    told: list[str] = []
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
    page.on("requestfailed", lambda request: told.append(f"not loaded: {request.url}"))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=job["directory"])) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        site = f"http://127.0.0.1:{server.server_port}/"
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((site, f"blob:{site}", "data:")) else told.append(request.url)
            ),
        )
        page.goto(site)
        page.wait_for_selector("html[data-loaded]", timeout=LOADING)
        answers = [ask(page, number, record) for number, record in enumerate(job["records"], 1)]
        press_the_button(page, len(answers) + 1)
        server.shutdown()
    told += ["the reader may ask other servers"] * page.workers[0].evaluate(ELSEWHERE)
    if told:
        raise SystemExit(f"the page told {told}")
    return answers


def ask(page: Page, number: int, record: dict[str, Any]) -> dict[str, Any]:
    """Type a text and a question, and return what the page marks."""
    page.focus("#text")
    for field in ("context", "question"):
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(record[field])
        page.keyboard.press("Tab" if field == "context" else "Enter")
    page.wait_for_selector(f"#result[data-number='{number}'], #problem:not([hidden])", timeout=ANSWERING)
    if page.is_visible("#problem"):
        raise SystemExit(f"the page tells {page.inner_text('#problem')}")
    found = json.loads(page.get_attribute("#result", "data-answer") or "")
    shown = page.inner_text("#answer")
    marked = page.evaluate("[...document.querySelectorAll('#marked mark')].map((mark) => mark.textContent)")
    if [shown] != marked or shown != found["text"] or page.text_content("#marked") != record["context"]:
        raise SystemExit(f"the page shows {shown!r} and marks {marked} where it found {found}")
    if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
        raise SystemExit(f"the page is wider than a screen of {PHONE['width']} pixels")
    return {"text": found["text"], "start": found["start"], "score": found["score"], "none": found["noAnswer"]}


def press_the_button(page: Page, number: int) -> None:
    """Ask again by the button, which keeps the focus, and see that the answer is told to those who hear the page."""
    page.focus("#question")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#result[data-number='{number}']", timeout=ANSWERING)
    if page.evaluate("document.activeElement.id") != "ask":
        raise SystemExit("the button must keep the focus")
    if page.inner_text("#status") != f"Answer: {page.inner_text('#answer')}":
        raise SystemExit(f"the status must tell the answer: {page.inner_text('#status')}")


def main() -> None:
    """Answer all jobs in one browser."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise SystemExit(f"the program {' or '.join(BROWSERS)} must be installed; fix: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        answers = []
        for job in json.load(sys.stdin):
            page = browser.new_page(viewport=PHONE)
            answers.append(answer(page, job))
            page.close()
        browser.close()
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
