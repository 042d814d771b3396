"""WS /v1/sessions/{id}/stream: voice in, events out."""

import asyncio
import contextlib
import json
from dataclasses import replace

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from models.errors import VisavisError
from models.timing import FPS
from server.api.access import agreed_protocol, allowed_stream
from server.api.problems import ApiError
from server.api.rates import RateLimiter
from server.api.stream_protocol import (
    BadEventError,
    MotionUpdate,
    Ping,
    SpeechAppend,
    SpeechEnd,
    SpeechInterrupt,
    SpeechStart,
    SpeechText,
    decode_base64,
    parse_event,
)
from server.sessions.events import (
    ErrorEvent,
    Event,
    Listener,
    Pong,
    SessionEnded,
    SessionReady,
    as_json,
)
from server.sessions.live_session import LiveSession
from server.voice.pcm import PcmConverter
from server.voice.speech_queue import SpeechQueueFullError, Utterance

log = structlog.get_logger(__name__)

router = APIRouter()

BAD_EVENTS_IN_A_ROW = 10
CLOSE_NORMAL, CLOSE_POLICY, CLOSE_TOO_MUCH = 1000, 1008, 1013
SEND_LIMIT_S = 5.0
MAX_SOCKETS = 16  # of one session
# A faster sender waits: nothing is lost, but the engine is not flooded with commands.
EVENTS_PER_S, PACKETS_PER_S = 200, 1000
_BURST_S = 2.0


@router.websocket("/v1/sessions/{session_id}/stream")
async def stream(socket: WebSocket, session_id: str) -> None:
    """Open for the session's token, or a key as the bearer."""
    live = allowed_stream(socket, session_id)
    await socket.accept(agreed_protocol(socket))
    if live is None or live.ended:  # it may have ended while the socket was opened
        await socket.close(CLOSE_POLICY, "no such session, or a wrong token")
        return
    if live.session.events.listeners >= MAX_SOCKETS:
        await socket.close(CLOSE_TOO_MUCH, f"the session has {MAX_SOCKETS} sockets already")
        return
    listener = live.session.events.listen()
    listener.offer(
        SessionReady(
            session_id,
            live.session.state,
            FPS,
            *live.size,
            live.session.picture_delay_ms,
        )
    )
    reader = asyncio.create_task(_Reader(socket, live, listener).run())
    writer = asyncio.create_task(_write(socket, listener))
    try:
        await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        code, reason = _outcome(reader, writer)
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
            async with asyncio.timeout(SEND_LIMIT_S):
                await socket.close(code, reason)
    finally:
        live.session.events.leave(listener)
        reader.cancel()
        writer.cancel()
        await asyncio.gather(reader, writer, return_exceptions=True)


def _outcome(
    reader: "asyncio.Task[tuple[int, str]]", writer: "asyncio.Task[tuple[int, str]]"
) -> tuple[int, str]:
    for task in (reader, writer):
        if task.done() and task.exception() is None:
            return task.result()
    return CLOSE_NORMAL, ""


async def _write(socket: WebSocket, listener: Listener) -> tuple[int, str]:
    """Send events until the session ends; a reader that does not keep up is let go."""
    try:
        while (event := await listener.next()) is not None:
            async with asyncio.timeout(SEND_LIMIT_S):
                await socket.send_text(json.dumps(as_json(event)))
            if isinstance(event, SessionEnded):
                return CLOSE_NORMAL, event.reason
    except TimeoutError:
        pass
    return CLOSE_TOO_MUCH, "events were not read in time"


class _Reader:
    """The client's side of one socket: at most one speech is open at a time."""

    def __init__(self, socket: WebSocket, live: LiveSession, listener: Listener) -> None:
        self._socket = socket
        self._live = live
        self._listener = listener
        self._utterance: Utterance | None = None
        self._converter: PcmConverter | None = None
        self._bad_in_a_row = 0
        self._full = False
        self._events = RateLimiter(EVENTS_PER_S * 60, burst_s=_BURST_S)
        self._packets = RateLimiter(PACKETS_PER_S * 60, burst_s=_BURST_S)

    async def run(self) -> tuple[int, str]:
        """Until the client leaves or sends nothing but nonsense; returns the close code."""
        try:
            while True:
                message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    return CLOSE_NORMAL, ""
                self._live.touch()
                limiter = self._packets if message.get("bytes") is not None else self._events
                while (wait_s := limiter.take("")) > 0:
                    await asyncio.sleep(wait_s)
                try:
                    self._take(message)
                    self._bad_in_a_row = 0
                except SpeechQueueFullError as error:
                    self._report_full(error)
                except VisavisError as error:
                    self._bad_in_a_row += 1
                    self._tell(ErrorEvent(error.code, str(error)))
                    if self._bad_in_a_row >= BAD_EVENTS_IN_A_ROW:
                        return CLOSE_POLICY, f"{BAD_EVENTS_IN_A_ROW} bad events in a row"
        finally:
            self._end_speech()

    def _take(self, message: "dict[str, object] | object") -> None:
        assert isinstance(message, dict)
        data, text = message.get("bytes"), message.get("text")
        if isinstance(data, bytes):
            self._append(data)
            return
        event = parse_event(str(text))
        session = self._live.session
        match event:
            case SpeechStart():
                self._begin(event)
            case SpeechAppend():
                self._append(decode_base64(event.audio))
            case SpeechEnd():
                if self._utterance is None:
                    raise BadEventError("speech.end without speech.start")
                self._end_speech()
            case SpeechText():
                self._say(event)
            case SpeechInterrupt():
                self._utterance = self._converter = None
                session.interrupt()
            case MotionUpdate():
                given = event.model_dump(exclude_unset=True, exclude={"type"})
                self._live.session.set_levels(replace(session.levels, **given))
            case Ping():
                self._tell(Pong())

    def _begin(self, event: SpeechStart) -> None:
        if self._live.plan.voice_in == "mic":
            raise ApiError("forbidden", 'this session\'s voice_in is "mic"')
        self._end_speech()
        self._full = False
        self._converter = PcmConverter(event.sample_rate)
        self._utterance = self._live.session.begin_speech(event.speech_id)

    def _say(self, event: SpeechText) -> None:
        if self._live.plan.voice_in == "mic":
            raise ApiError("forbidden", 'this session\'s voice_in is "mic"')
        self._end_speech()
        self._live.speaker.say(event.text, event.voice, event.speech_id)

    def _append(self, data: bytes) -> None:
        if self._utterance is None or self._converter is None:
            raise BadEventError("voice without speech.start")
        self._live.session.voice.queue.add(self._utterance, self._converter.push(data))

    def _end_speech(self) -> None:
        if self._utterance is not None and self._converter is not None:
            with contextlib.suppress(SpeechQueueFullError):
                self._live.session.voice.queue.add(self._utterance, self._converter.finish())
            self._utterance.closed = True
        self._utterance = self._converter = None

    def _report_full(self, error: SpeechQueueFullError) -> None:
        """Once per speech: a fast sender would get one for every packet."""
        if not self._full:
            self._full = True
            self._tell(ErrorEvent(error.code, str(error)))

    def _tell(self, event: Event) -> None:
        """To this client alone."""
        self._listener.offer(event)
