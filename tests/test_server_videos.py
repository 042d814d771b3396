"""/v1/videos over a real socket, around the fake engine; the jobs are real processes."""

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest

from server.config.videos import VideoSettings
from tests.fake_engine import read_frame_number, read_level
from tests.server_fixtures import KEY, FakeServer, make_settings, run_fake_server, tone
from tests.test_server_api import check_problem, png, wav_bytes
from tests.test_server_engine_worker import dark_png
from tests.waiting import video_until

OTHER_KEY = "another-key-for-tests"
SPEECH = wav_bytes(np.concatenate([tone(0.6), np.zeros(28_800, np.int16), tone(0.6)]))
VOICE = {"audio": ("voice.wav", SPEECH)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeServer]:
    """One with two keys and short limits, that speaks no texts."""
    settings = make_settings(
        tmp_path_factory.mktemp("videos"),
        api_keys=[KEY, OTHER_KEY],
        videos=VideoSettings(max_video_s=5, max_waiting_per_owner=2),
        text_to_speech="off",
    )
    with run_fake_server(settings) as running:
        yield running


async def order(client: httpx.AsyncClient, **fields: str) -> dict[str, Any]:
    """Anna says SPEECH."""
    form = {"avatar_id": "anna"} | fields
    answer = await client.post("/v1/videos", data=form, files=VOICE)
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_an_order_becomes_an_mp4_with_every_picture_and_its_sound(
    server: FakeServer, tmp_path: Path
) -> None:
    async with server.client() as client:
        ordered = await order(client, seed="7", motion='{"head": 0.9}', output='{"size": 256}')
        assert (ordered["status"], ordered["error"]) == ("queued", None)
        assert ordered["duration_s"] == 1.8
        early = await client.get(f"/v1/videos/{ordered['id']}/content")
        check_problem(early, 409, "conflict")
        done = await video_until(client, ordered["id"], "done", "failed")
        assert (done["status"], done["progress"]) == ("done", 1.0)
        assert (done["seed"], done["motion"]["head"], done["output"]["size"]) == (7, 0.9, 256)
        content = await client.get(done["content_url"])
        assert content.headers["content-type"] == "video/mp4"
        assert content.headers["content-disposition"].startswith("attachment; filename=")
        assert len(content.content) == done["size_bytes"]
        await check_ranges(client, done["content_url"], content.content)
        assert (await client.delete(f"/v1/videos/{ordered['id']}")).status_code == 204
        check_problem(await client.get(done["content_url"]), 404, "not_found")
    path = tmp_path / "video.mp4"
    path.write_bytes(content.content)
    check_pictures_and_sound(path)


async def check_ranges(client: httpx.AsyncClient, url: str, whole: bytes) -> None:
    """Players and downloads that go on ask for parts."""
    part = await client.get(url, headers={"Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, whole[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{len(whole)}"
    tail = await client.get(url, headers={"Range": "bytes=-50"})
    assert tail.content == whole[-50:]
    beyond = await client.get(url, headers={"Range": f"bytes={len(whole)}-"})
    assert beyond.status_code == 416


def check_pictures_and_sound(path: Path) -> None:
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    doubled = [picture.repeat(2, 0).repeat(2, 1) for picture in pictures]
    assert [read_frame_number(picture) for picture in doubled] == list(range(45))
    loud = [read_level(picture) > 100 for picture in doubled]
    assert loud == [True] * 15 + [False] * 15 + [True] * 15
    with av.open(str(path)) as container:
        sound = np.concatenate([f.to_ndarray().reshape(-1) for f in container.decode(audio=0)])
    assert len(sound) / 48_000 == pytest.approx(1.8, abs=0.05)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # it plays while it is loaded


async def test_videos_belong_to_their_key(server: FakeServer) -> None:
    async with server.client() as me, server.client(OTHER_KEY) as you:
        video = await order(me)
        url = f"/v1/videos/{video['id']}"
        assert video["id"] in [v["id"] for v in (await me.get("/v1/videos")).json()["videos"]]
        assert (await you.get("/v1/videos")).json() == {"videos": []}
        for answer in (await you.get(url), await you.get(url + "/content"), await you.delete(url)):
            check_problem(answer, 404, "not_found")
        assert (await me.delete(url)).status_code == 204
        ended = await video_until(me, video["id"], "cancelled", "done")
        assert ended["status"] == "cancelled"
        check_problem(await me.get(url + "/content"), 409, "conflict")


async def test_avatars_belong_to_their_key(server: FakeServer) -> None:
    async with server.client() as me, server.client(OTHER_KEY) as you:
        files = {"image": ("me.png", png(300, 300))}
        avatar = (await me.post("/v1/avatars", files=files)).json()
        mine = [found["id"] for found in (await me.get("/v1/avatars")).json()["avatars"]]
        yours = [found["id"] for found in (await you.get("/v1/avatars")).json()["avatars"]]
        assert mine == [*yours, avatar["id"]]
        url = f"/v1/avatars/{avatar['id']}"
        for answer in (await you.get(url), await you.get(url + "/image"), await you.delete(url)):
            check_problem(answer, 404, "not_found")
        session = await you.post("/v1/sessions", json={"avatar_id": avatar["id"]})
        check_problem(session, 404, "not_found")
        video = await you.post("/v1/videos", data={"avatar_id": avatar["id"]}, files=VOICE)
        check_problem(video, 404, "not_found")
        image = await me.get(url + "/image")
        again = await me.get(url + "/image", headers={"If-None-Match": image.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert (await me.delete(url)).status_code == 204


async def test_a_key_has_so_many_videos_waiting(server: FakeServer) -> None:
    async with server.client() as client:
        videos = [await order(client) for _ in range(2)]
        refused = await client.post("/v1/videos", data={"avatar_id": "anna"}, files=VOICE)
        check_problem(refused, 429, "video_queue_full")
        assert int(refused.headers["retry-after"]) > 0
        for video in videos:
            await client.delete(f"/v1/videos/{video['id']}")


ANNA = {"avatar_id": "anna"}
FACE = {"image": ("me.png", png(300, 300))}


@pytest.mark.parametrize(
    ("form", "files", "code", "said"),
    [
        ({}, VOICE, "invalid_request", "either avatar_id or a file image"),
        (ANNA, VOICE | FACE, "invalid_request", "either avatar_id or a file image"),
        (ANNA, FACE, "invalid_request", "either avatar_id or a file image"),
        ({}, FACE, "invalid_request", "either a file audio or text"),
        (ANNA | {"text": "Hi"}, VOICE, "invalid_request", "either a file audio or text"),
        (ANNA | {"voice": "x"}, VOICE, "invalid_request", "voice belongs to text"),
        (ANNA | {"seed": "-1"}, VOICE, "invalid_request", "seed must be a whole number"),
        (ANNA | {"seed": "²"}, VOICE, "invalid_request", "seed must be a whole number"),
        (ANNA | {"output": "{"}, VOICE, "invalid_request", "output"),
        (ANNA | {"output": '{"size": 300}'}, VOICE, "invalid_request", "output.size"),
        (ANNA | {"motion": '{"mood": "odd"}'}, VOICE, "invalid_request", "no mood 'odd'"),
        (ANNA | {"colour": "red"}, VOICE, "invalid_request", "accepted: image, audio, avatar_id"),
        (ANNA | {"audio": "text"}, FACE, "invalid_request", "audio must be a file"),
        (ANNA, {"audio": ("a.wav", b"")}, "bad_audio", "empty"),
        (ANNA, {"audio": ("a.wav", b"no sound at all")}, "bad_audio", ""),
        (ANNA, {"audio": ("a.wav", wav_bytes(tone(6.0)))}, "bad_audio", "longer than 5 s"),
        ({}, VOICE | {"image": ("x.png", b"text")}, "not_an_image", ""),
        ({}, VOICE | {"image": ("x.png", dark_png())}, "no_face", ""),
        (
            ANNA | {"output": json.dumps({"background": {"type": "picture", "image": "aGk="}})},
            VOICE,
            "bad_output",
            "",
        ),
    ],
)
async def test_a_bad_order_is_refused_and_says_what_is_accepted(
    server: FakeServer, form: dict[str, str], files: Any, code: str, said: str
) -> None:
    async with server.client() as client:
        answer = await client.post("/v1/videos", data=form, files=files)
        check_problem(answer, 422, code)
        assert said in answer.json()["detail"]
        waiting = (await client.get("/v1/videos")).json()["videos"]
        assert all(video["status"] not in ("queued", "running") for video in waiting)


async def test_other_bodies_are_refused(server: FakeServer) -> None:
    async with server.client() as client:
        as_json = await client.post("/v1/videos", json=ANNA)
        check_problem(as_json, 422, "invalid_request")
        assert "multipart/form-data" in as_json.json()["detail"]
        text = await client.post("/v1/videos", data=ANNA | {"text": "Hi"}, files={"x": b""})
        check_problem(text, 422, "invalid_request")
        spoken = [("avatar_id", (None, "anna")), ("text", (None, "Hi"))]
        check_problem(
            await client.post("/v1/videos", files=spoken), 501, "text_to_speech_unavailable"
        )
        for path in ("/v1/videos/v_0", "/v1/videos/v_0/content", "/v1/videos/..%2f..%2fetc"):
            check_problem(await client.get(path), 404, "not_found")


async def test_a_large_background_fits_into_the_form(server: FakeServer) -> None:
    import base64

    picture = base64.b64encode(large_png()).decode()
    assert len(picture) > 1_500_000
    background = {"background": {"type": "picture", "image": picture}}
    async with server.client() as client:
        video = await order(client, output=json.dumps(background))
        assert video["output"]["background"] == {"type": "picture"}
        await client.delete(f"/v1/videos/{video['id']}")


def large_png() -> bytes:
    """Noise does not compress."""
    import cv2

    noise = np.random.default_rng(1).integers(0, 256, (640, 640, 3), np.uint8)
    return bytes(cv2.imencode(".png", noise)[1])


async def test_a_full_disk_is_told_and_nothing_is_kept(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    files = server.app.state.context.storage.files
    async with server.client(OTHER_KEY) as client:
        before = sorted(files.folder.iterdir())
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            for path, form, sent in (("/v1/videos", ANNA, VOICE), ("/v1/avatars", {}, FACE)):
                check_problem(await client.post(path, data=form, files=sent), 507, "storage_full")
        assert sorted(files.folder.iterdir()) == before
        assert (await client.get("/v1/videos")).json() == {"videos": []}
        assert (await client.get("/readyz")).status_code == 200


async def test_videos_and_avatars_outlive_the_server(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    files = {"image": ("me.png", png(300, 300))}
    with run_fake_server(settings) as first:
        async with first.client() as client:
            avatar = (await client.post("/v1/avatars", files=files, data={"name": "Me"})).json()
            video = await order(client, avatar_id=avatar["id"], seed="5")
            assert (await client.delete(f"/v1/avatars/{avatar['id']}")).status_code == 204
            kept = (await client.post("/v1/avatars", files=files, data={"name": "I"})).json()
    with run_fake_server(settings) as second:
        async with second.client() as client:
            assert kept in (await client.get("/v1/avatars")).json()["avatars"]
            image = await client.get(kept["image_url"])
            assert image.content == files["image"][1]
            session = await client.post("/v1/sessions", json={"avatar_id": kept["id"]})
            assert session.status_code == 201
            done = await video_until(client, video["id"], "done", "failed")
            assert (done["status"], done["seed"], done["error"]) == ("done", 5, None)
