"""Web servers that never answer, or hardly."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.remote import serving


@contextmanager
def slow_server(good: bytes = b"") -> Iterator[str]:
    """The URL of a server: `mute...` is never answered, `deaf...` says its size and no more, `trickle...`
    comes a byte at a time, `good...` at once.
    """
    over = threading.Event()

    class Slow(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            name = self.path.lstrip("/")
            if name.startswith("mute"):
                over.wait()
            self.send_response(200)
            self.send_header("Content-Length", str(len(good)))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            name = self.path.lstrip("/")
            if name.startswith("good"):
                self.wfile.write(good)
            while name.startswith(("deaf", "trickle")) and not over.wait(0.05):
                if name.startswith("trickle"):
                    self.wfile.write(b"x")

        def log_message(self, *_: object) -> None:
            pass

    with serving(Slow) as url:
        try:
            yield url
        finally:
            over.set()
