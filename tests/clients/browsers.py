"""A headless Chromium that runs JavaScript clients: this process serves it the page, the libraries and the models."""

from __future__ import annotations

import json
import mimetypes
import queue
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.clients.environments import ClientError, needed_program

#: Seconds that a page may take from the start of the browser to its answers.
LONGEST = 600

_TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm"}


def ask_in_browser(
    request: Mapping[str, Any], folders: Mapping[str, Path], *, page: str = "/clients/browser.html"
) -> Any:
    """Return what the page answers to a request.

    Args:
        request: What ``/request`` gives the page, as JSON.
        folders: Begin of an address, without its first slash -> the directory that is served there.
        page: The page to open.

    Raises:
        ClientError: The page told an error, or nothing in time.
    """
    told: queue.Queue[dict[str, Any]] = queue.Queue()
    missing: list[str] = []
    handler = _handler(request, folders, told, missing)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, tempfile.TemporaryDirectory() as profile:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = subprocess.Popen(
            [*chromium(profile), f"http://127.0.0.1:{server.server_port}{page}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            answer = told.get(timeout=LONGEST)
        except queue.Empty:
            raise ClientError(f"the page told nothing within {LONGEST} seconds; not found: {missing}") from None
        finally:
            browser.terminate()
            server.shutdown()
            try:
                browser.wait(timeout=60)
            except subprocess.TimeoutExpired:
                browser.kill()
                browser.wait()
    if "error" in answer:
        raise ClientError(f"{answer['error']}; not found: {missing}")
    return answer["answers"]


def chromium(profile: str) -> list[str]:
    """Return the command of a browser that reaches this machine alone."""
    return [
        needed_program("chromium", "chromium-browser", "google-chrome"),
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={profile}",
    ]


def _handler(
    request: Mapping[str, Any], folders: Mapping[str, Path], told: queue.Queue[dict[str, Any]], missing: list[str]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            if path == "/request":
                self._send(json.dumps(request).encode(), "application/json")
                return
            found = (
                directory / path[len(begin) + 2 :]
                for begin, directory in folders.items()
                if path.startswith(f"/{begin}/")
            )
            file = next(found, None)
            if file is None or not file.is_file():
                missing.append(path)
                self.send_error(404)
                return
            kind = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            self._send(file.read_bytes(), kind)

        def do_POST(self) -> None:
            told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._send(b"{}", "application/json")

        def _send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output to what failed."""

    return Handler
