"""Keeps secrets out of the logs, whoever writes them: keys, tokens, passwords in addresses."""

import re
from collections.abc import MutableMapping, Sequence
from typing import Any

HIDDEN = "***"
_NAMES = r"token|api[_-]?keys?|key|password|passwd|secret|credential|authorization|ice-pwd"
_SECRET_FIELD = re.compile(rf"(?i)(?:.*[_-])?(?:{_NAMES})")
_PATTERNS = (
    # an Authorization header and a WebSocket's subprotocol
    (re.compile(r"(?i)\b(bearer[ .]|basic )[\w~+/=.-]+"), rf"\1{HIDDEN}"),
    # a query's or form's fields, JSON's, a Python repr's
    (
        re.compile(rf"(?i)(\b(?:{_NAMES})\b[\"']?\s*[=:]\s*[\"']?)(?!\*)[^\s&\"',;)}}\]]+"),
        rf"\1{HIDDEN}",
    ),
    # user:password@ in an address
    (re.compile(r"(\w+://)[^/\s@\"']+@"), rf"\1{HIDDEN}@"),
)


class Redactor:
    """A structlog processor. ``secrets`` are hidden wherever they stand."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        # the longest first: one key may begin like another
        self._secrets = sorted((s for s in secrets if s), key=len, reverse=True)

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
        """Every field's text, however deep."""
        del logger, method
        return {name: self._field(name, value) for name, value in event.items()}

    def hide(self, text: str) -> str:
        """The text without what looks like a secret, or is one."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def _field(self, name: str, value: Any) -> Any:
        match value:
            case str():
                return HIDDEN if _SECRET_FIELD.fullmatch(name) else self.hide(value)
            case dict():
                return {str(key): self._field(str(key), item) for key, item in value.items()}
            case list() | tuple():
                return [self._field(name, item) for item in value]
            case _:
                return value
