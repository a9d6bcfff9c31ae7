"""A hub of one's own on loopback: the few answers that ``huggingface-hub`` needs to fetch files of a model.

    HEAD/GET /{owner}/{name}/resolve/{revision}/{file}   with ETag, X-Repo-Commit and byte ranges
    GET      /api/models/{owner}/{name}/revision/{revision}

Repositories can be private (a token is asked for) or gated. Every request is logged, so that tests see what was
fetched and what was not.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass
class Repository:
    """Commits (hash -> file name -> contents), names for some of them, and who may read."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    gated: bool = False

    def commit(self, files: dict[str, bytes], ref: str = "main") -> str:
        """Add a commit, let ``ref`` point at it, return its hash."""
        digest = hashlib.sha1(repr(sorted(files.items())).encode(), usedforsecurity=False).hexdigest()
        self.commits[digest] = dict(files)
        self.refs[ref] = digest
        return digest


class SmallHub:
    """Serves :attr:`repositories` until it is closed; a context manager."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[tuple[str, str, int]] = []
        self.cut_after: int | None = None  # bytes of a body after which the connection breaks
        self.before_answer: Callable[[str], None] = lambda _path: None
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                hub._answer(self, body=False)

            def do_GET(self) -> None:
                hub._answer(self, body=True)

            def log_message(self, *_: object) -> None:
                """Keep stderr clean; requests are kept in ``requests``."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> SmallHub:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving; the port is free afterwards. A second call does nothing."""
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fetched(self) -> list[str]:
        """File names that were sent whole or in part, in order."""
        return [path.rsplit("/", 1)[1] for method, path, status in self.requests if method == "GET" and status < 300]

    def _answer(self, handler: BaseHTTPRequestHandler, *, body: bool) -> None:
        path = unquote(urlsplit(handler.path).path)
        self.before_answer(path)
        status, headers, contents = self._look_up(path, handler.headers.get("Authorization"))
        asked = handler.headers.get("Range")
        if status == 200 and asked is not None:
            first = int(asked.removeprefix("bytes=").split("-")[0])
            headers["Content-Range"] = f"bytes {first}-{len(contents) - 1}/{len(contents)}"
            status, contents = 206, contents[first:]
        self.requests.append((handler.command, path, status))
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(contents)))
        handler.end_headers()
        if body and self.cut_after is not None and len(contents) > self.cut_after:
            handler.wfile.write(contents[: self.cut_after])
            handler.close_connection = True
        elif body:
            handler.wfile.write(contents)

    def _look_up(self, path: str, authorization: str | None) -> tuple[int, dict[str, str], bytes]:
        parts = path.strip("/").split("/")
        api = parts[:2] == ["api", "models"]
        parts = parts[2:] if api else parts
        verb = "revision" if api else "resolve"
        if verb not in parts:
            return 404, {}, b""
        name, (revision, *rest) = "/".join(parts[: parts.index(verb)]), parts[parts.index(verb) + 1 :]
        repository = self.repositories.get(name)
        if repository is None:
            # As the real hub: who has no token does not learn whether a repository exists.
            return 401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, b""
        if repository.gated and authorization is None:
            return 401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"}, b""
        if repository.token is not None and authorization != f"Bearer {repository.token}":
            return 401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, b""
        commit = repository.refs.get(revision, revision)
        if commit not in repository.commits:
            return 404, {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Invalid rev id"}, b""
        files = repository.commits[commit]
        if api:
            siblings = [{"rfilename": file} for file in files]
            answer = {"id": name, "modelId": name, "sha": commit, "siblings": siblings, "private": False, "tags": []}
            return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()
        file = "/".join(rest)
        if file not in files:
            return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}, b""
        etag = hashlib.sha256(files[file]).hexdigest()
        return 200, {"ETag": f'"{etag}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}, files[file]
