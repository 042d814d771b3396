"""The browser client's files: those a browser needs, and none of those that made them."""

import os
from pathlib import PurePosixPath

from starlette.staticfiles import StaticFiles

_ROOT_FILES = ("index.html", "present.html", "visavis-avatar.js", "icon.svg")
_FOLDERS = {
    "scripts": (".js",),
    "styles": (".css",),
    "samples": (".wav",),
    "examples": (".html", ".js"),
}


class PageFiles(StaticFiles):
    """Starlette's static files, of an allow-list: no package.json, no node_modules."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """As in StaticFiles; ``path`` is relative and has no dots any more."""
        return super().lookup_path(path) if is_served(path) else ("", None)


def is_served(path: str) -> bool:
    """Whether this file of client/web is the browser's business; ``.`` is the page itself."""
    parts = PurePosixPath(path.replace(os.sep, "/"))
    if path == "." or str(parts) in _ROOT_FILES:  # Starlette asks for "./index.html"
        return True
    suffixes = _FOLDERS.get(parts.parts[0], ()) if len(parts.parts) > 1 else ()
    return parts.suffix in suffixes and not any(part.startswith(".") for part in parts.parts)
