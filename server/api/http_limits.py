"""HTTP connections that cannot be kept waiting: a head comes whole within seconds, or not at all.

uvicorn has no limit on how long a request's head may take, so a few hundred clients that send a
letter now and then would hold all connections (slowloris). Bodies are BodyLimit's business.
"""

import asyncio
from typing import Literal

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_BYTES = 32 * 1024  # request line and headers
HEAD_S = 10.0
MAX_CONNECTIONS = 512  # more get 503
KEEP_ALIVE_S = 20
SHUTDOWN_S = 3
WEBSOCKET_PING_S = 5.0
WEBSOCKET_MESSAGE_BYTES = 1024 * 1024


class ImpatientProtocol(H11Protocol):
    """uvicorn's HTTP, with a limit on the time that a request's head may take."""

    _head_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A head is expected from now on."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected any more."""
        self._forget_head()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """The connection is another protocol's now."""
        self._forget_head()
        super().handle_websocket_upgrade(event)

    def data_received(self, data: bytes) -> None:
        """A head has begun, goes on, or has come."""
        super().data_received(data)
        if self.transport.is_closing() or self.conn.their_state is not h11.IDLE:
            self._forget_head()
        elif self.conn.our_state is h11.IDLE and self._head_due is None:
            self._expect_head()

    def _expect_head(self) -> None:
        self._head_due = self.loop.call_later(HEAD_S, self._give_up)

    def _forget_head(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

    def _give_up(self) -> None:
        self._head_due = None
        self.transport.close()


def http_config(app: FastAPI, lifespan: Literal["on", "off"] = "on") -> uvicorn.Config:
    """How uvicorn serves the application; ``off``: whoever calls has started its parts already."""
    return uvicorn.Config(
        app,
        lifespan=lifespan,
        http=ImpatientProtocol,
        h11_max_incomplete_event_size=HEAD_BYTES,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
        log_config=None,
        access_log=False,  # addresses of WebSockets carry tokens
        ws_ping_interval=WEBSOCKET_PING_S,
        ws_ping_timeout=WEBSOCKET_PING_S,
        ws_max_size=WEBSOCKET_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # sound does not get smaller, and it would cost the loop time
    )
