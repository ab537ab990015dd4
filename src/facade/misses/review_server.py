"""A page to look through misses: one local server, one file, nothing but the standard library behind it."""

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
from facade.misses.ledger import judged, read_ledger, without
from facade.misses.show import every_miss

# A judgement is a few numbers; more is none.
LARGEST = 10_000


class Reviewer(ThreadingHTTPServer):
    """Serves the page to this machine alone, and to whoever knows its address, which holds a secret."""

    daemon_threads = True

    def __init__(self, root: Path, port: int = 0) -> None:
        """Listen.

        Args:
            root: The ledger.
            port: 0 for any that is free.
        """
        self.root = root
        self.secret = secrets.token_urlsafe(16)
        self.changing = Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_port}/?secret={self.secret}"


def review(root: Path, port: int, told: Callable[[str], None]) -> None:
    """Serve the page until it is interrupted."""
    read_ledger(root)
    with Reviewer(root, port) as server:
        told(f"Open {server.address} (Ctrl-C ends it; what you say is written at once).")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            told("Done.")


class _Handler(BaseHTTPRequestHandler):
    server: Reviewer

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        if not self._is_ours(where.query):
            return
        try:
            ledger = read_ledger(self.server.root)
            if where.path == "/":
                self._answer(_page(self.server).encode(), "text/html; charset=utf-8")
                return
            _, _, arm, name = where.path.split("/")
            entry = next(one for one in ledger.entries if one.photograph.file == name and arm in one.hashes)
            self._answer(ledger.read_image(arm, entry), "image/jpeg")
        except FacadeError as error:
            self._answer(str(error).encode(), "text/plain; charset=utf-8", HTTPStatus.CONFLICT)
        except (ValueError, StopIteration):
            self._answer(b"There is no such picture.", "text/plain; charset=utf-8", HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        where = urlsplit(self.path)
        if not self._is_ours(where.query):
            return
        try:
            asked = json.loads(self.rfile.read(max(0, min(int(self.headers.get("Content-Length", 0)), LARGEST))))
            # One after the other: each reads the ledger, and writes it whole.
            with self.server.changing:
                ledger = read_ledger(self.server.root)
                if asked["state"] == "removed":
                    without(ledger, str(asked["photograph"]))
                else:
                    box = asked.get("bbox")
                    bbox = None if box is None else tuple(map(float, box))
                    judged(ledger, str(asked["photograph"]), int(asked["face"]), asked["state"], bbox)
            self._answer(b"{}", "application/json")
        except FacadeError as error:
            self._answer(str(error).encode(), "text/plain; charset=utf-8", HTTPStatus.CONFLICT)
        except (KeyError, TypeError, ValueError, OverflowError):
            self._answer(b"This is no judgement.", "text/plain; charset=utf-8", HTTPStatus.BAD_REQUEST)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's signature
        """Nothing: what is looked at is nobody's business."""

    def _is_ours(self, query: str) -> bool:
        """Whether the page itself asks: other pages in the same browser do not know the secret."""
        given = parse_qs(query).get("secret", [""])[0]
        if secrets.compare_digest(given.encode(), self.server.secret.encode()):
            return True
        self._answer(b"Open the address that facade misses review told.", "text/plain", HTTPStatus.FORBIDDEN)
        return False

    def _answer(self, content: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)


def _page(server: Reviewer) -> str:
    ledger = read_ledger(server.root)
    order = {"new": 0, "accepted": 1, "rejected": 2}
    misses: list[dict[str, Any]] = [
        {
            "photograph": entry.photograph.file,
            "face": number,
            "width": entry.photograph.width,
            "height": entry.photograph.height,
            "bbox": list(face.bbox),
            "state": miss.state,
            "told": _told(miss.by, miss.best_score, face.attributes),
        }
        for entry, number, face, miss in every_miss(ledger)
    ]
    misses.sort(key=lambda one: (order[one["state"]], one["photograph"], one["face"]))
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("facade.misses"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("review.html").render(misses=misses, secret=server.secret)


def _told(by: Any, score: float, attributes: Any) -> str:
    missed = "; ".join(f"{arm}, seed {', '.join(map(str, seeds))}" for arm, seeds in by.items())
    known = ", ".join(f"{name} {value}" for name, value in attributes.items() if value)
    parts = [f"missed by {missed}" if missed else "reported by a person"]
    parts.append(f"surest detection {score:.2f}" if score else "not seen at all")
    return " · ".join([*parts, *([known] if known else [])])
