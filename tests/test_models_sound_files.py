"""Sound that strangers send: what it is, how long it claims to be, what it would cost."""

import io
import itertools
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
import soundfile

from models.containers import demuxer_of
from models.errors import SoundError
from models.sound import read_sound
from models.sound_files import MAX_DECODING_S, open_sound

LENGTH_BITS = slice(18 + 3, 18 + 8)  # of FLAC's STREAMINFO: 4 bits of depth, 36 of length


def flac(seconds: float, rate_hz: int = 8_000, channels: int = 1) -> bytes:
    file = io.BytesIO()
    silence = np.zeros((round(seconds * rate_hz), channels), np.int16)
    soundfile.write(file, silence, rate_hz, format="FLAC")
    return file.getvalue()


def claiming(data: bytes, samples: int) -> bytes:
    """The same FLAC file with another length in its header; 0: unknown."""
    changed = bytearray(data)
    bits = int.from_bytes(changed[LENGTH_BITS], "big")
    changed[LENGTH_BITS] = (bits >> 36 << 36 | samples).to_bytes(5, "big")
    return bytes(changed)


def test_a_header_that_claims_hours_is_refused_before_anything_is_decoded() -> None:
    bomb = claiming(flac(0.5), samples=10 * 3600 * 8_000)
    with pytest.raises(SoundError, match="longer than 300 s"):
        open_sound(bomb, "it", 300.0)


def test_a_stream_of_unknown_length_is_counted_as_it_comes() -> None:
    endless = claiming(flac(30.0), samples=0)
    assert len(endless) < 5_000
    assert len(read_sound(endless, max_seconds=31.0)) == 30 * 16_000
    with pytest.raises(SoundError, match="longer than 3 s"):
        read_sound(endless, max_seconds=3.0)


def test_only_one_piece_is_decoded_at_a_time() -> None:
    sizes = [piece.size for piece in open_sound(flac(60.0), "it", 300.0).pieces]
    assert sum(sizes) == 60 * 8_000
    assert max(sizes) <= 65_536


@pytest.mark.parametrize(("channels", "accepted"), [(8, True), (9, False), (1000, False)])
def test_channels_are_limited(channels: int, accepted: bool) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros((100, channels), np.int16), 8_000, format="WAV")
    if accepted:
        assert len(read_sound(file.getvalue())) == 200
    else:
        with pytest.raises(SoundError, match=f"has {channels} channels; accepted: 1 to 8"):
            read_sound(file.getvalue())


def test_decoding_that_takes_too_long_is_given_up() -> None:
    clock = itertools.count(0.0, MAX_DECODING_S * 0.6)
    file = open_sound(flac(60.0), "it", 300.0, now=lambda: next(clock))
    with pytest.raises(SoundError, match="longer than 60 s to decode"):
        list(file.pieces)


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """An address on loopback, and what was asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {url}/a.wav\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
        '<?xml version="1.0"?><MPD><Period><BaseURL>{url}/a.mp4</BaseURL></Period></MPD>',
        "[playlist]\nFile1={url}/a.mp3\n",
    ],
    ids=["hls", "hls of a file", "concat", "sdp", "dash", "pls"],
)
def test_a_playlist_opens_nothing(playlist: str, listener: tuple[str, list[str]]) -> None:
    url, asked = listener
    with pytest.raises(SoundError, match="no sound that can be read"):
        read_sound(playlist.format(url=url).encode())
    assert asked == []


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"RIFF\0\0\0\0WAVEfmt ", "wav"),
        (b"RF64\0\0\0\0WAVEds64", "wav"),
        (b"RIFF\0\0\0\0AVI LIST", "avi"),
        (b"RIFF\0\0\0\0WEBPVP8 ", None),
        (b"fLaC\0\0\0\x22", "flac"),
        (b"OggS\0\x02", "ogg"),
        (b"ID3\x04\0", "mp3"),
        (b"\xff\xfb\x90\x64", "mp3"),
        (b"\xff\xf1\x50\x80", "aac"),
        (b"\0\0\0\x1cftypM4A ", "mp4"),
        (b"\x1a\x45\xdf\xa3\x9f", "matroska"),
        (b"\xff", None),
        (b"", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"#EXTM3U\n", None),
    ],
)
def test_a_file_is_known_by_its_first_bytes(head: bytes, expected: str | None) -> None:
    assert demuxer_of(head) == expected
