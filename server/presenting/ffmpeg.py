"""FFmpeg as a child process: takes NUT from its standard input and pushes it."""

import asyncio
import contextlib
import shutil
from collections import deque
from collections.abc import Callable

from models.errors import VisavisError
from server.presenting.destination import Destination

_PROTOCOLS = {"rtmp": "rtmp,tcp", "rtmps": "rtmps,rtmp,tls,tcp", "srt": "srt,udp"}
_GOODBYE_S = 3.0  # to say the stream's end
_KEPT_LINES = 3


class FfmpegMissingError(VisavisError):
    """There is no FFmpeg program on this machine."""

    code = "ffmpeg_missing"


def find_ffmpeg(program: str) -> str:
    """Its path. Raises FfmpegMissingError."""
    path = shutil.which(program)
    if path is None:
        raise FfmpegMissingError(
            f"pushing needs FFmpeg, and there is no program {program!r}; the operator installs it"
            " (apt-get install ffmpeg) or names it in presenting.ffmpeg"
        )
    return path


def arguments(destination: Destination, address: str) -> list[str]:
    """What follows the program's name: pictures as they are, sound to AAC."""
    whitelist = ["-protocol_whitelist", _PROTOCOLS[destination.scheme]]
    verified = ["-tls_verify", "1"] if destination.scheme == "rtmps" else []
    return [
        *("-hide_banner", "-nostdin", "-loglevel", "error", "-progress", "pipe:1"),
        *("-protocol_whitelist", "pipe", "-analyzeduration", "500000"),
        *("-f", "nut", "-i", "pipe:0"),
        *("-map", "0:v:0", "-map", "0:a:0", "-c:v", "copy", "-c:a", "aac", "-b:a", "96k"),
        *("-flush_packets", "1", "-max_muxing_queue_size", "400"),
        *whitelist,
        *verified,
        *destination.output_arguments(address),
    ]


class FfmpegPush:
    """One run of the program. ``on_live`` is called when the receiver takes what is pushed."""

    def __init__(self, destination: Destination, on_live: Callable[[], None]) -> None:
        self._destination = destination
        self._on_live = on_live
        self._live = False
        self._process: asyncio.subprocess.Process | None = None
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._readers: list[asyncio.Task[None]] = []

    @property
    def trouble(self) -> str:
        """What the program said last, without what is secret in the URL."""
        said = "; ".join(self._lines) or "FFmpeg ended without a word"
        secrets = [self._destination.path, self._destination.path.rpartition("/")[2]]
        secrets += [value for _, value in self._destination.options]
        for secret in filter(None, secrets):
            said = said.replace(secret, "***")
        return said[:300]

    async def start(self, program: str, address: str) -> None:
        """Raises OSError."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            program,
            *arguments(self._destination, address),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )
        readers = (self._read_progress(self._process), self._read_trouble(self._process))
        self._readers = [asyncio.create_task(reader) for reader in readers]

    async def write(self, data: bytes) -> None:
        """Waits while the program takes nothing. Raises OSError when it has ended."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    async def ended(self) -> None:
        """Waits until the program has."""
        assert self._process is not None
        await self._process.wait()
        await asyncio.gather(*self._readers)

    async def close(self) -> None:
        """End of stream; then of the program, whatever it does."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            # who was never heard needs no goodbye
            async with asyncio.timeout(_GOODBYE_S if self._live else 0):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        await asyncio.gather(*self._readers)

    async def _read_progress(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            name, _, value = line.decode(errors="replace").strip().partition("=")
            if not self._live and name == "frame" and value.isdigit() and int(value) > 0:
                self._live = True
                self._on_live()

    async def _read_trouble(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while chunk := await process.stderr.read(4096):
            lines = chunk.decode(errors="replace").splitlines()
            self._lines.extend(line.strip() for line in lines if line.strip())
