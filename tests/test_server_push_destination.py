"""What a push URL may be: everything else is refused before anything is connected to."""

import pytest

from server.presenting.destination import (
    BadPushUrlError,
    PushNotAllowedError,
    read_destination,
    resolve,
)
from server.presenting.ffmpeg import arguments

ALLOWED = [
    "live.example.org:1935",
    "10.0.0.7:9000",
    "[::1]:9000",
    "localhost:1935",
    "a.example:443",
]

NO_URLS = [
    "",
    "live.example.org",
    "file:///etc/passwd",
    "http://live.example.org:1935/live/key",
    "rtmp://",
    "rtmp://live.example.org",
    "rtmp://live.example.org/live",
    "rtmp://live.example.org/live/key with=spaces",
    "rtmp://live.example.org/live/key\n",
    "rtmp://live.example.org/live/k\u00e9y",
    "rtmp://live.example.org:99999/live/key",
    "rtmp://live.example.org:x/live/key",
    "rtmp://user:password@live.example.org/live/key",
    "rtmp://live.example.org/live/key#fragment",
    "rtmp://[::1/live/key",
    "rtmp://live.example.org/live/" + "k" * 3000,
    "srt://10.0.0.7",
    "srt://10.0.0.7:9000/path",
    "srt://10.0.0.7:9000?mode=listener",
    "srt://10.0.0.7:9000?mode",
    "srt://10.0.0.7:9000?localaddr=0.0.0.0",
    "concat:rtmp://live.example.org/live/key",
    "tee:rtmp://live.example.org/live/key",
    "-i",
]

ELSEWHERE = [
    "rtmp://live.example.org:22/live/key",
    "rtmp://live.example.org.evil.example/live/key",
    "rtmp://169.254.169.254:1935/live/key",
    "rtmp://127.0.0.1:1935/live/key",
    "rtmp://evil.example\\@live.example.org:1935/live/key",
    "srt://10.0.0.7:9001",
    "srt://10.0.0.8:9000",
    "rtmps://live.example.org/live/key",
]


@pytest.mark.parametrize("url", NO_URLS)
def test_what_is_no_push_url_is_refused(url: str) -> None:
    with pytest.raises(BadPushUrlError):
        read_destination(url, ALLOWED)


@pytest.mark.parametrize("url", ELSEWHERE)
def test_what_the_operator_does_not_list_is_refused(url: str) -> None:
    with pytest.raises((PushNotAllowedError, BadPushUrlError)):
        read_destination(url, ALLOWED)


def test_nothing_is_listed_by_default() -> None:
    with pytest.raises(PushNotAllowedError, match=r"live\.example\.org:1935"):
        read_destination("rtmp://live.example.org/live/key", [])


def test_ffmpeg_gets_the_checked_address_and_the_name_for_the_receiver() -> None:
    found = read_destination("rtmp://LIVE.example.org/live/app/key?token=1", ALLOWED)
    given = arguments(found, "203.0.113.5")
    assert given[-1] == "rtmp://203.0.113.5:1935/live/app/key?token=1"
    assert given[given.index("-rtmp_tcurl") + 1] == "rtmp://live.example.org:1935/live/app"
    assert given[given.index("-rtmp_playpath") + 1] == "key?token=1"
    assert given[-2::-1][given[-2::-1].index("-protocol_whitelist") - 1] == "rtmp,tcp"


def test_rtmps_keeps_the_name_that_the_certificate_has() -> None:
    given = arguments(read_destination("rtmps://a.example/live/key", ALLOWED), "203.0.113.5")
    assert given[-1] == "rtmps://a.example:443/live/key"
    assert given[given.index("-tls_verify") + 1] == "1"


def test_srt_always_calls_whatever_the_options_say() -> None:
    found = read_destination(
        "srt://[::1]:9000?streamid=a%26mode%3Dlistener&latency=200000", ALLOWED
    )
    assert arguments(found, "::1")[-1] == (
        "srt://[::1]:9000?mode=caller&streamid=a%26mode%3Dlistener&latency=200000"
    )


def test_secrets_are_not_shown() -> None:
    for url in (
        "rtmp://live.example.org/live/s3cret",
        "srt://10.0.0.7:9000?passphrase=s3cret-s3cret",
    ):
        found = read_destination(url, ALLOWED)
        assert "s3cret" not in found.shown + repr(found)


async def test_a_listed_name_that_leads_to_this_machine_is_refused() -> None:
    found = read_destination("rtmp://localhost/live/key", ALLOWED)
    with pytest.raises(PushNotAllowedError, match="localhost leads to"):
        await resolve(found)


async def test_a_listed_address_is_taken_as_it_is() -> None:
    assert await resolve(read_destination("srt://[::1]:9000", ALLOWED)) == "::1"
    assert await resolve(read_destination("srt://10.0.0.7:9000", ALLOWED)) == "10.0.0.7"
