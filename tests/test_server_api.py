"""The HTTP API over a real socket, around the fake engine."""

import io
import wave
from typing import Any

import httpx
import numpy as np
import pytest

from models.shapes import PcmArray
from tests.server_fixtures import FakeServer, started_session, tone
from tests.test_server_engine_worker import dark_png

BARE_OFFER = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=recvonly\r\n"


def wav_bytes(pcm: PcmArray, rate_hz: int = 48_000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        sound.writeframes(pcm.tobytes())
    return file.getvalue()


def png(width: int, height: int) -> bytes:
    import cv2

    return bytes(cv2.imencode(".png", np.full((height, width, 3), 128, np.uint8))[1])


def check_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == answer.request.url.path


async def check_alive(client: httpx.AsyncClient) -> None:
    assert (await client.get("/readyz")).json() == {"status": "ready"}


async def test_health_needs_no_key_and_everything_else_does(fake_server: FakeServer) -> None:
    async with fake_server.client(key="") as client:
        assert (await client.get("/livez")).json() == {"status": "alive"}
        await check_alive(client)
        for path in ("/v1/server", "/v1/avatars", "/v1/sessions", "/metrics", "/v1/sessions/s_x"):
            check_problem(await client.get(path), 401, "unauthorized")
    async with fake_server.client(key="wrong") as client:
        answer = await client.get("/v1/server")
        check_problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_server_describes_itself(fake_server: FakeServer) -> None:
    async with fake_server.client() as client:
        body = (await client.get("/v1/server")).json()
    assert (body["name"], body["engine"], body["device"]) == ("visavis", "fake", "fake")
    assert (body["fps"], body["width"], body["height"]) == (25, 128, 128)
    assert body["ready"] is True
    assert body["limits"]["max_sessions"] == 3
    assert body["text_to_speech"] is True
    assert body["voices"][0] == {"id": "heart", "name": "Heart", "language": "en-US"}


async def test_metrics_are_prometheus_text(fake_server: FakeServer) -> None:
    async with fake_server.client() as client:
        text = (await client.get("/metrics")).text
    for name in ("motion_seconds", "render_seconds", "sessions", "frames_late", "engine_queue"):
        assert f"visavis_{name}" in text


async def test_openapi_names_every_route(fake_server: FakeServer) -> None:
    async with fake_server.client() as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    assert {"/v1/server", "/v1/avatars", "/v1/sessions/{session_id}/offer"} <= set(paths)


async def test_shipped_avatars_are_there_and_stay(fake_server: FakeServer) -> None:
    async with fake_server.client() as client:
        avatars = (await client.get("/v1/avatars")).json()["avatars"]
        assert len(avatars) >= 8
        anna = (await client.get("/v1/avatars/anna")).json()
        assert anna in avatars
        image = await client.get(anna["image_url"])
        assert image.headers["content-type"] == "image/jpeg"
        assert image.content.startswith(b"\xff\xd8")
        check_problem(await client.delete("/v1/avatars/anna"), 403, "forbidden")
        check_problem(await client.get("/v1/avatars/nobody"), 404, "not_found")
        check_problem(await client.delete("/v1/avatars/nobody"), 404, "not_found")


async def test_an_upload_lives_until_it_is_deleted(fake_server: FakeServer) -> None:
    async with fake_server.client() as client:
        picture = png(300, 300)
        answer = await client.post(
            "/v1/avatars", files={"image": ("me.png", picture)}, data={"name": " Me\x00 "}
        )
        assert answer.status_code == 201
        avatar = answer.json()
        assert (avatar["name"], avatar["shipped"]) == ("Me", False)
        image = await client.get(avatar["image_url"])
        assert (image.content, image.headers["content-type"]) == (picture, "image/png")
        assert (await client.delete(f"/v1/avatars/{avatar['id']}")).status_code == 204
        check_problem(await client.get(f"/v1/avatars/{avatar['id']}"), 404, "not_found")


async def test_uploads_are_counted(fake_server: FakeServer) -> None:
    async with fake_server.client() as client:
        files = {"image": ("me.png", png(64, 64))}
        ids = [(await client.post("/v1/avatars", files=files)).json()["id"] for _ in range(3)]
        check_problem(await client.post("/v1/avatars", files=files), 409, "conflict")
        for avatar_id in ids:
            await client.delete(f"/v1/avatars/{avatar_id}")


@pytest.mark.parametrize(
    ("image", "status", "code"),
    [
        (b"just some text", 422, "not_an_image"),
        (b"", 422, "not_an_image"),
        (png(500, 500)[:600], 422, "not_an_image"),
        (dark_png(), 422, "no_face"),
        (png(8000, 6250), 413, "too_large"),
        (b"\xff" * (11 * 1024 * 1024), 413, "too_large"),
    ],
    ids=["text", "empty", "truncated", "no face", "50 megapixels", "11 megabytes"],
)
async def test_a_bad_portrait_is_refused_and_the_server_lives_on(
    fake_server: FakeServer, image: bytes, status: int, code: str
) -> None:
    async with fake_server.client() as client:
        before = len((await client.get("/v1/avatars")).json()["avatars"])
        answer = await client.post("/v1/avatars", files={"image": ("x.jpg", image)})
        check_problem(answer, status, code)
        assert len((await client.get("/v1/avatars")).json()["avatars"]) == before
        await check_alive(client)


async def test_a_body_without_a_declared_length_is_measured(fake_server: FakeServer) -> None:
    async def endless() -> Any:
        for _ in range(200):
            yield b"x" * 65536

    async with fake_server.client() as client:
        answer = await client.post("/v1/sessions", content=endless())
        check_problem(answer, 413, "too_large")


async def test_an_upload_without_a_file_is_invalid(fake_server: FakeServer) -> None:
    async with fake_server.client() as client:
        check_problem(await client.post("/v1/avatars", data={"name": "x"}), 422, "invalid_request")
        check_problem(await client.put("/v1/avatars"), 405, "method_not_allowed")


async def test_a_session_is_described_listed_and_ended(fake_server: FakeServer) -> None:
    async with started_session(fake_server, mode="chunk", voice_in="api") as (client, session):
        assert session["state"] == "idle"
        base = f"/v1/sessions/{session['id']}"
        assert session["urls"]["whep"] == f"{base}/whep"
        assert session["urls"]["offer"] == f"{base}/offer"
        described = (await client.get(base)).json()
        assert (described["mode"], described["voice_in"]) == ("chunk", "api")
        assert described["connected"] is False
        assert described["stats"]["type"] == "stats"
        listed = (await client.get("/v1/sessions")).json()["sessions"]
        assert session["id"] in [item["id"] for item in listed]
        assert (await client.delete(base)).status_code == 204
        check_problem(await client.get(base), 404, "not_found")


async def test_a_token_opens_its_own_session_alone(fake_server: FakeServer) -> None:
    async with (
        started_session(fake_server) as (_, mine),
        started_session(fake_server) as (_, other),
        fake_server.client(key=mine["token"]) as client,
    ):
        assert (await client.get(f"/v1/sessions/{mine['id']}")).status_code == 200
        check_problem(await client.get(f"/v1/sessions/{other['id']}"), 401, "unauthorized")
        check_problem(await client.get("/v1/sessions"), 401, "unauthorized")


async def test_capacity_is_told_with_a_time_to_come_back(fake_server: FakeServer) -> None:
    async with (
        started_session(fake_server),
        started_session(fake_server),
        started_session(fake_server) as (client, _),
    ):
        answer = await client.post("/v1/sessions", json={"avatar_id": "anna"})
        check_problem(answer, 503, "at_capacity")
        assert int(answer.headers["retry-after"]) > 0
    async with started_session(fake_server):
        pass


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_request"),
        ({"avatar_id": "nobody"}, "not_found"),
        ({"avatar_id": "anna", "mode": "fast"}, "invalid_request"),
        ({"avatar_id": "anna", "colour": "red"}, "invalid_request"),
        ({"avatar_id": "anna", "motion": {"head": -1}}, "invalid_request"),
        ({"avatar_id": "anna", "max_duration_s": 1e9}, "invalid_request"),
        ({"avatar_id": "anna", "seed": 2**40}, "invalid_request"),
    ],
)
async def test_a_bad_session_request(
    fake_server: FakeServer, body: dict[str, Any], code: str
) -> None:
    async with fake_server.client() as client:
        answer = await client.post("/v1/sessions", json=body)
        check_problem(answer, 404 if code == "not_found" else 422, code)


async def test_json_that_is_none(fake_server: FakeServer) -> None:
    async with fake_server.client() as client:
        headers = {"content-type": "application/json"}
        answer = await client.post("/v1/sessions", content=b"{", headers=headers)
        check_problem(answer, 422, "invalid_request")


async def test_speech_is_taken_and_bad_sound_refused(fake_server: FakeServer) -> None:
    async with started_session(fake_server) as (client, session):
        url = f"/v1/sessions/{session['id']}/speech"
        for pcm, rate_hz in ((tone(0.5), 48_000), (tone(0.5, rate_hz=8000), 8000)):
            files = {"audio": ("hello.wav", wav_bytes(pcm, rate_hz))}
            answer = await client.post(url, files=files)
            assert answer.status_code == 202
            assert answer.json()["speech_id"].startswith("sp_")
        for data in (b"", b"no sound", wav_bytes(tone(0.5))[:30], wav_bytes(tone(0)), b"ID3" * 99):
            answer = await client.post(url, files={"audio": ("x.wav", data)})
            check_problem(answer, 422, "bad_audio")
        check_problem(await client.post(url, data={"a": "b"}), 422, "invalid_request")
        await check_alive(client)


async def test_too_much_speech_is_refused(fake_server: FakeServer) -> None:
    async with started_session(fake_server) as (client, session):
        url = f"/v1/sessions/{session['id']}/speech"
        long = {"audio": ("x.wav", wav_bytes(np.zeros(8000 * 299, np.int16), 8000))}
        assert (await client.post(url, files=long)).status_code == 202
        check_problem(await client.post(url, files=long), 429, "speech_queue_full")
        longer = {"audio": ("x.wav", wav_bytes(np.zeros(8000 * 301, np.int16), 8000))}
        check_problem(await client.post(url, files=longer), 422, "bad_audio")


async def test_api_speech_into_a_microphone_session(fake_server: FakeServer) -> None:
    async with started_session(fake_server, voice_in="mic") as (client, session):
        files = {"audio": ("x.wav", wav_bytes(tone(0.1)))}
        answer = await client.post(f"/v1/sessions/{session['id']}/speech", files=files)
        check_problem(answer, 403, "forbidden")


async def test_interrupting_silence(fake_server: FakeServer) -> None:
    async with started_session(fake_server) as (client, session):
        answer = await client.post(f"/v1/sessions/{session['id']}/interrupt")
        assert answer.json() == {"speech_id": None, "position_ms": 0}


@pytest.mark.parametrize(
    ("offer", "code"),
    [
        ({"sdp": "hello", "type": "offer"}, "bad_sdp"),
        ({"sdp": "", "type": "offer"}, "bad_sdp"),
        ({"sdp": "v=0\r\n", "type": "offer"}, "bad_sdp"),
        ({"sdp": "v=0\r\nm=video x y z\r\n", "type": "offer"}, "bad_sdp"),
        (
            {"sdp": "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=recvonly\r\n", "type": "offer"},
            "bad_sdp",
        ),
        ({"sdp": "v=0\r\n" + "a" * 300_000, "type": "offer"}, "bad_sdp"),
        ({"sdp": "v=0", "type": "answer"}, "invalid_request"),
        ({"type": "offer"}, "invalid_request"),
    ],
)
async def test_an_offer_that_is_none(
    fake_server: FakeServer, offer: dict[str, str], code: str
) -> None:
    async with started_session(fake_server) as (client, session):
        check_problem(await client.post(session["urls"]["offer"], json=offer), 422, code)
        assert (await client.get(f"/v1/sessions/{session['id']}")).status_code == 200


async def test_later_calls_are_not_there_yet(fake_server: FakeServer) -> None:
    async with fake_server.client() as client:
        check_problem(await client.get("/v1/videos/x"), 404, "not_found")
