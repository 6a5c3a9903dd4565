"""A hub in this process: what huggingface_hub and plain downloads ask of one."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Serves the files of a folder as one model; `asked` are the paths of all requests."""

    def __init__(self, folder: Path, model: str = "someone/tiny-clip") -> None:
        self.folder, self.model, self.asked = folder, model, list[str]()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def answer(self, *, body: bool) -> None:
                hub.asked.append(self.path)
                found, error = hub.find(self.path)
                self.send_response(200 if found is not None else 404)
                self.send_header("X-Repo-Commit", COMMIT)
                if found is None:
                    self.send_header("X-Error-Code", error)
                    self.send_header("Content-Length", "0")
                else:
                    self.send_header("Content-Length", str(len(found)))
                    self.send_header("ETag", f'"{hashlib.sha256(found).hexdigest()}"')
                self.end_headers()
                if body and found is not None:
                    self.wfile.write(found)

            def do_HEAD(self) -> None:
                self.answer(body=False)

            def do_GET(self) -> None:
                self.answer(body=True)

        return Handler

    def find(self, path: str) -> tuple[bytes | None, str]:
        start, _, name = path.partition("/resolve/")
        if start != f"/{self.model}":
            return None, "RepoNotFound"
        revision, _, name = name.partition("/")
        if revision not in ("main", COMMIT):
            return None, "RevisionNotFound"
        file = self.folder / name
        return (file.read_bytes(), "") if file.is_file() else (None, "EntryNotFound")

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.server.server_close()
