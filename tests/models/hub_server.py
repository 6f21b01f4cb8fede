"""A hub on this machine: the part of the protocol that a pinned download asks for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

REPOSITORY = "lab/toy-model"
REVISION = "0123456789abcdef0123456789abcdef01234567"
LARGE = ".safetensors"


class Hub(ThreadingHTTPServer):
    """Serves one folder as one repository; large files from another address, as the hub does."""

    def __init__(self, folder: Path, repository: str, revision: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.repository, self.revision = folder, repository, revision
        self.requests: list[str] = []
        self.cut: dict[str, int] = {}
        self.corrupt: set[str] = set()

    @property
    def address(self) -> str:
        """Return what HF_ENDPOINT must be."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def listing(self) -> list[dict]:
        """Return the repository's tree as the hub's API does."""
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return [self._entry(path) for path in files]

    def _entry(self, path: Path) -> dict:
        """Return one file of the tree."""
        content = path.read_bytes()
        entry = {
            "type": "file",
            "oid": git_hash(content),
            "size": len(content),
            "path": path.relative_to(self.folder).as_posix(),
        }
        if path.suffix == LARGE:
            sha256 = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 134}
        return entry


class _Handler(BaseHTTPRequestHandler):
    """Answers as huggingface.co does."""

    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        """Tell the tree, a file of the repository, and a large file's content apart."""
        path = unquote(urlsplit(self.path).path)
        wanted = self.headers.get("Range", "")
        self.server.requests.append(f"{self.command} {path} {wanted}".strip())
        hub = self.server
        if path == f"/api/models/{hub.repository}/tree/{hub.revision}":
            self._send(200, json.dumps(self.server.listing()).encode(), with_body)
        elif path.startswith(prefix := f"/{hub.repository}/resolve/{hub.revision}/"):
            self._resolve(path.removeprefix(prefix), with_body)
        elif path.startswith("/storage/"):
            self._content(path.removeprefix("/storage/"), with_body)
        else:
            self._send(404, b"{}", with_body, {"X-Error-Code": "RepoNotFound"})

    def _resolve(self, name: str, with_body: bool) -> None:
        """Answer for a file: small ones here, large ones elsewhere."""
        content = (self.server.folder / name).read_bytes()
        headers = {"X-Repo-Commit": self.server.revision, "ETag": f'"{git_hash(content)}"'}
        if not name.endswith(LARGE):
            self._send(200, content, with_body, headers)
            return
        headers["X-Linked-Etag"] = f'"{hashlib.sha256(content).hexdigest()}"'
        headers["X-Linked-Size"] = str(len(content))
        # Another host: the client follows redirects within the hub while it asks for metadata.
        headers["Location"] = f"http://localhost:{self.server.server_address[1]}/storage/{name}"
        self._send(302, b"", with_body, headers)

    def _content(self, name: str, with_body: bool) -> None:
        """Send a large file from where the client asks, broken off or corrupt where planned."""
        content = (self.server.folder / name).read_bytes()
        if name in self.server.corrupt:
            content = bytes([content[0] ^ 1]) + content[1:]
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        rest, limit = content[start:], self.server.cut.pop(name, None)
        self._send(206 if start else 200, rest, with_body, headers, limit)

    def _send(
        self,
        status: int,
        body: bytes,
        with_body: bool,
        headers: dict[str, str] | None = None,
        limit: int | None = None,
    ) -> None:
        """Send an answer; with a limit the connection breaks after that many bytes."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body[:limit])
        if limit is not None:
            self.close_connection = True


def git_hash(content: bytes) -> str:
    """Return the name that git gives to a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def serve_hub(
    folder: Path, repository: str = REPOSITORY, revision: str = REVISION
) -> Iterator[Hub]:
    """Serve a folder for as long as the block lasts."""
    hub = Hub(folder, repository, revision)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
