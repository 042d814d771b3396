"""A small speech service on this machine, that can also misbehave in every way known."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.server_fixtures import tone

SERVICE_KEY = "a-secret-of-the-service"
RATE_HZ = 24_000
PIECE_BYTES = 4_801  # odd: samples are cut in two


@dataclass
class SpeechService:
    """``behaviour`` decides what happens next; ``requests`` are what was asked."""

    url: str = ""
    behaviour: str = "speaks"
    seconds: float = 1.0  # of each sentence
    requests: list[dict[str, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    redirected: int = 0
    hung_up: threading.Event = field(default_factory=threading.Event)

    async def speak(self, request: Request) -> Response:
        """POST /v1/audio/speech."""
        self.keys.append(request.headers.get("authorization", ""))
        self.requests.append(json.loads(await request.body()))
        if self.behaviour.isdigit():
            return JSONResponse({"error": {"message": f"no: {SERVICE_KEY}"}}, int(self.behaviour))
        match self.behaviour:
            case "redirects":
                return RedirectResponse(f"{self.url}/elsewhere", 307)
            case "sends json":
                return JSONResponse({"audio": "none"})
            case "sends nothing":
                return Response(b"", media_type="audio/pcm")
        return StreamingResponse(self._sound(), media_type="audio/pcm")

    async def elsewhere(self, request: Request) -> Response:
        """Where the redirect leads; nobody must come."""
        del request
        self.redirected += 1
        return Response(tone(0.5, rate_hz=RATE_HZ).astype("<i2").tobytes(), media_type="audio/pcm")

    async def _sound(self) -> AsyncIterator[bytes]:
        data = tone(self.seconds, rate_hz=RATE_HZ).astype("<i2").tobytes()
        try:
            for start in range(0, len(data), PIECE_BYTES):
                yield data[start : start + PIECE_BYTES]
                if self.behaviour == "stalls":
                    await asyncio.sleep(60)
                if self.behaviour == "breaks off":
                    raise ConnectionError("the service breaks off")
        except asyncio.CancelledError:
            self.hung_up.set()
            raise


@contextlib.contextmanager
def running_speech_service() -> Iterator[SpeechService]:
    """Start it, and stop it afterwards."""
    service = SpeechService()
    app = Starlette(
        routes=[
            Route("/v1/audio/speech", service.speak, methods=["POST"]),
            Route("/elsewhere", service.elsewhere, methods=["GET", "POST"]),
        ]
    )
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, name="speech-service")
    thread.start()
    try:
        pause = threading.Event()
        while not server.started:
            pause.wait(0.01)
        service.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield service
    finally:
        server.should_exit = True
        thread.join(timeout=10)
