"""The review page: a local web server, built on the standard library alone."""

import json
import secrets
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jinja2

from facade.errors import FacadeError
from facade.misses.ledger import read_ledger, remove_photograph, review_miss
from facade.misses.show import every_miss

# Maximum size of a request's body, bytes: a review is a few numbers.
MAX_BODY = 10_000


class ReviewServer(ThreadingHTTPServer):
    """Serves the review page on this machine alone, to those who know its URL, which contains a secret."""

    daemon_threads = True

    def __init__(self, root: Path, port: int = 0) -> None:
        """Bind to a port.

        Args:
            root: The ledger.
            port: 0 for any free one.
        """
        self.root = root
        self.secret = secrets.token_urlsafe(16)
        self.lock = Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        """URL of the page."""
        return f"http://127.0.0.1:{self.server_port}/?secret={self.secret}"


def review(root: Path, port: int, log_line: Callable[[str], None]) -> None:
    """Serve the page until interrupted."""
    read_ledger(root)
    with ReviewServer(root, port) as server:
        log_line(f"Open {server.url} (reviews are saved at once; stop with Ctrl-C).")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            log_line("Done.")


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if not self._is_authorized(url.query):
            return
        try:
            ledger = read_ledger(self.server.root)
            if url.path == "/":
                self._respond(_page(self.server).encode(), "text/html; charset=utf-8")
                return
            _, _, arm, name = url.path.split("/")
            entry = next(one for one in ledger.entries if one.photograph.file == name and arm in one.hashes)
            self._respond(ledger.read_image(arm, entry), "image/jpeg")
        except FacadeError as error:
            self._respond(str(error).encode(), "text/plain; charset=utf-8", HTTPStatus.CONFLICT)
        except (ValueError, StopIteration):
            self._respond(b"There is no such photograph.", "text/plain; charset=utf-8", HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        if not self._is_authorized(url.query):
            return
        try:
            body = json.loads(self.rfile.read(max(0, min(int(self.headers.get("Content-Length", 0)), MAX_BODY))))
            # One at a time: each request reads the ledger and rewrites all of it.
            with self.server.lock:
                ledger = read_ledger(self.server.root)
                if body["state"] == "removed":
                    remove_photograph(ledger, str(body["photograph"]))
                else:
                    box = body.get("bbox")
                    bbox = None if box is None else tuple(map(float, box))
                    review_miss(ledger, str(body["photograph"]), int(body["face"]), body["state"], bbox)
            self._respond(b"{}", "application/json")
        except FacadeError as error:
            self._respond(str(error).encode(), "text/plain; charset=utf-8", HTTPStatus.CONFLICT)
        except (KeyError, TypeError, ValueError, OverflowError):
            self._respond(b"This is not a review.", "text/plain; charset=utf-8", HTTPStatus.BAD_REQUEST)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's signature
        """Log nothing, because requests contain the secret."""

    def _is_authorized(self, query: str) -> bool:
        """Whether the request has the secret, which other pages in the same browser do not know."""
        given = parse_qs(query).get("secret", [""])[0]
        if secrets.compare_digest(given.encode(), self.server.secret.encode()):
            return True
        self._respond(b"Open the URL that facade misses review printed.", "text/plain", HTTPStatus.FORBIDDEN)
        return False

    def _respond(self, content: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)


def _page(server: ReviewServer) -> str:
    ledger = read_ledger(server.root)
    order = {"new": 0, "accepted": 1, "rejected": 2}
    misses: list[dict[str, Any]] = [
        {
            "photograph": entry.photograph.file,
            "face": index,
            "width": entry.photograph.width,
            "height": entry.photograph.height,
            "bbox": list(face.bbox),
            "state": miss.state,
            "description": _description(miss.by, miss.best_score, face.attributes),
        }
        for entry, index, face, miss in every_miss(ledger)
    ]
    misses.sort(key=lambda miss: (order[miss["state"]], miss["photograph"], miss["face"]))
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("facade.misses"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("review.html").render(misses=misses, secret=server.secret)


def _description(by: Any, score: float, attributes: Any) -> str:
    missed = "; ".join(f"{arm}, seed {', '.join(map(str, seeds))}" for arm, seeds in by.items())
    known = ", ".join(f"{name} {value}" for name, value in attributes.items() if value)
    parts = [f"missed by {missed}" if missed else "reported by a person"]
    parts.append(f"highest score {score:.2f}" if score else "not detected")
    return " · ".join([*parts, *([known] if known else [])])
