"""Sessions that ask for a size, a framing or a background, around the fake engine.

Its pictures have a quarter of the asked size: 64, 128 and 192 pixels.
"""

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from liveportrait.output import BlurBackground, OutputError, OutputOptions
from server.api.output_schemas import MAX_BACKGROUND_BYTES, OutputBody, output_as_json
from server.api.stream_protocol import BadEventError, MotionUpdate, parse_event
from server.avatars import load_shipped
from server.engine.config import load_engine_config
from server.engine.messages import EngineInfo, ModeTiming, PortraitPlan
from server.engine.pool import EnginePool
from server.engine.portraits import KEPT_PORTRAITS, portrait_error
from server.metrics import Metrics
from server.sessions.timing import SessionTiming
from tests.fake_engine import FakeRenderer, read_frame_number, write_config
from tests.server_fixtures import FakeServer, started_session, watching
from tests.test_server_api import check_problem

IMAGE = load_shipped()[0].image


async def test_sessions_of_different_sizes_run_side_by_side(fake_server: FakeServer) -> None:
    small, large = {"size": 256}, {"size": 768, "framing": "full"}
    async with (
        started_session(fake_server, output=small) as (client, first),
        started_session(fake_server, output=large) as (_, second),
        watching(client, first) as one,
        watching(client, second) as other,
    ):
        assert (first["width"], first["height"]) == (64, 64)
        assert (second["width"], second["height"]) == (384, 192)
        await one.until(pictures=15)
        await other.until(pictures=15)
        listed = (await client.get("/v1/sessions")).json()["sessions"]
    sizes = {(frame.width, frame.height) for frame in one.pictures}
    assert sizes == {(64, 64)}
    assert {(frame.width, frame.height) for frame in other.pictures} == {(384, 192)}
    for watcher in (one, other):
        shown = [
            cv2.resize(frame.to_ndarray(format="rgb24"), (128, 128)) for frame in watcher.pictures
        ]
        numbers = [read_frame_number(np.asarray(picture, np.uint8)) for picture in shown]
        assert numbers == sorted(numbers)
        assert numbers[-1] >= 10
    assert [item["output"]["size"] for item in listed] == [256, 768]
    assert listed[1]["output"] == {
        "size": 768,
        "framing": "full",
        "background": {"type": "none"},
    }


async def test_what_can_be_chosen_is_told(fake_server: FakeServer) -> None:
    async with fake_server.client() as client:
        server = (await client.get("/v1/server")).json()
    assert server["output"] == {
        "sizes": [256, 512, 768],
        "framings": ["face", "full"],
        "backgrounds": ["none", "colour", "picture"],
        "max_background_bytes": MAX_BACKGROUND_BYTES,
    }
    assert server["moods"][0] == "neutral"


PICTURE = {"type": "picture", "image": base64.b64encode(b"no picture").decode()}


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        ({"output": {"size": 300}}, "invalid_request", "256, 512 or 768"),
        ({"output": {"framing": "wide"}}, "invalid_request", "'face' or 'full'"),
        ({"output": {"zoom": 2}}, "invalid_request", "zoom"),
        ({"output": {"background": {"type": "beach"}}}, "invalid_request", "'blur'"),
        ({"output": {"background": {"type": "colour", "colour": "red"}}}, "bad_output", "#rrggbb"),
        (
            {"output": {"background": {"type": "blur", "strength": 2}}},
            "invalid_request",
            "strength",
        ),
        ({"output": {"background": {"type": "blur"}}}, "bad_output", "none, colour, picture"),
        ({"output": {"background": {"type": "picture"}}}, "invalid_request", "image"),
        ({"output": {"background": PICTURE | {"image": "%%"}}}, "bad_output", "base64"),
        ({"output": {"background": PICTURE}}, "bad_output", "JPEG, PNG or WebP"),
        ({"motion": {"mood": "bored"}}, "invalid_request", "neutral, happy"),
        ({"motion": {"mood_strength": 9}}, "invalid_request", "mood_strength"),
    ],
)
async def test_what_cannot_be_chosen_is_refused(
    fake_server: FakeServer, body: dict[str, Any], code: str, told: str
) -> None:
    async with fake_server.client() as client:
        answer = await client.post("/v1/sessions", json={"avatar_id": "anna"} | body)
    check_problem(answer, 422, code)
    assert told in answer.json()["detail"]


async def test_a_background_picture_that_is_too_large_is_refused(fake_server: FakeServer) -> None:
    image = base64.b64encode(bytes(MAX_BACKGROUND_BYTES + 3)).decode()
    output = {"background": {"type": "picture", "image": image}}
    async with fake_server.client() as client:
        answer = await client.post("/v1/sessions", json={"avatar_id": "anna", "output": output})
        check_problem(answer, 422, "invalid_request")
        output["background"]["image"] = "A" * 8 * 2**20
        answer = await client.post("/v1/sessions", json={"avatar_id": "anna", "output": output})
        check_problem(answer, 413, "too_large")


async def test_an_upload_tells_what_its_photograph_will_do_less_well(
    fake_server: FakeServer,
) -> None:
    small = bytes(cv2.imencode(".png", np.full((30, 30, 3), 128, np.uint8))[1])
    async with fake_server.client() as client:
        answer = await client.post("/v1/avatars", files={"image": small})
        avatar = answer.json()
        assert avatar["warnings"] == [{"code": "small_face", "text": "Few pixels."}]
        again = await client.get(f"/v1/avatars/{avatar['id']}")
        assert again.json() == avatar
        await client.delete(f"/v1/avatars/{avatar['id']}")
        assert (await client.get("/v1/avatars/anna")).json()["warnings"] == []


def test_the_answer_has_all_but_the_background_picture() -> None:
    picture = OutputBody.model_validate({"background": PICTURE}).options()
    assert output_as_json(picture)["background"] == {"type": "picture"}
    blur = OutputBody.model_validate({"size": 768, "background": {"type": "blur"}}).options()
    assert blur == OutputOptions(768, background=BlurBackground())
    assert output_as_json(blur)["background"] == {"type": "blur", "strength": 0.5}


def test_moods_change_while_it_runs() -> None:
    event = parse_event('{"type": "motion.update", "mood": "happy", "mood_strength": 0.5}')
    assert isinstance(event, MotionUpdate)
    assert (event.levels().mood, event.levels().mood_strength) == ("happy", 0.5)
    with pytest.raises(BadEventError, match="accepted: neutral"):
        parse_event('{"type": "motion.update", "mood": "bored"}')


def test_larger_pictures_get_more_time() -> None:
    timing = ModeTiming(9, 5, 20.0)
    info = EngineInfo("x", "cpu", 512, 512, timing, timing, 10.0, FakeRenderer.choices)
    assert info.larger_ms((256, 256)) == 0.0
    assert info.larger_ms((512, 1024)) == pytest.approx(10.0)
    usual = SessionTiming.for_engine(timing)
    larger = SessionTiming.for_engine(timing, info.larger_ms((1280, 720)))
    assert larger.ahead_packets > usual.ahead_packets


def test_refusals_of_an_output_keep_their_name_over_the_pipe() -> None:
    assert isinstance(portrait_error("bad_output", "no"), OutputError)


async def test_portraits_are_kept_by_what_was_asked_and_forgotten_in_turn(tmp_path: Path) -> None:
    pool = EnginePool(load_engine_config(str(write_config(tmp_path))), 1, IMAGE, Metrics())
    try:
        await pool.client.start()
        await pool.client.wait_ready()
        usual = await pool.prepare(PortraitPlan("anna", IMAGE))
        small = await pool.prepare(PortraitPlan("anna", IMAGE, OutputOptions(256)))
        assert (usual.size, small.size) == ((128, 128), (64, 64))
        assert len(pool.portraits._prepared) == 2
        for number in range(KEPT_PORTRAITS):
            await pool.prepare(PortraitPlan(f"other{number}", IMAGE))
        assert len(pool.portraits._prepared) == KEPT_PORTRAITS
        assert await pool.prepare(PortraitPlan("anna", IMAGE)) == usual
        pool.forget("anna")
        assert not any(key.startswith("anna/") for key in pool.portraits._prepared)
    finally:
        await pool.close()
