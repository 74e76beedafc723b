"""The other side of a webhook: takes or refuses what is posted, and keeps it. No assertions."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.canaries import CANARY


class Hook:
    """A web server that takes what is posted; `status` is what it answers, after the `answers` are used up."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        self.status = 200
        self.answers: list[int] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = hook.answers.pop(0) if hook.answers else hook.status
                if status == 200:
                    hook.posts.append(json.loads(body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/{CANARY}"

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """All alerts posted so far."""
        return [alert for post in self.posts for alert in post["alerts"]]
