"""How many sessions fit: by cost where it is measured, by number where the operator says so."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from liveportrait.output import OutputChoices
from models.errors import ConfigError
from server.avatars import load_shipped
from server.config.encoding import EncodingSettings
from server.config.settings import Limits, load_settings
from server.encoding.price import encode_cpu_ms
from server.engine.messages import EngineInfo, ModeTiming, SecondCost
from server.sessions.capacity import AUTO_LANES, HEAD_ROOM, NETWORK, Capacity, retry_after_s
from tests.server_fixtures import make_settings, run_fake_server, started_session

USUAL = (512, 512)


def engine_info(motion_s: float, pictures_s: float) -> EngineInfo:
    """An engine whose motion and pictures take this long a second, on one thread."""
    timing = ModeTiming(7, 5, 10.0, SecondCost(motion_s, motion_s))
    pictures = SecondCost(pictures_s, pictures_s)
    return EngineInfo("fake", "cpu", *USUAL, timing, timing, 5.0, OutputChoices(), pictures)


def test_the_workers_time_is_the_limit_where_there_are_many_cores() -> None:
    info = engine_info(motion_s=0.2, pictures_s=0.1)
    capacity = Capacity("auto", encode_cpu_ms=4.0, cores=64)
    assert capacity.max_sessions(info) == int(HEAD_ROOM / 0.3)


def test_with_motion_made_apart_the_busier_of_two_threads_is_the_limit() -> None:
    info = replace(engine_info(motion_s=0.2, pictures_s=0.1), motion_apart=True)
    assert Capacity("auto", cores=64).max_sessions(info) == int(HEAD_ROOM / 0.2)


def test_the_cores_are_the_limit_where_there_are_few() -> None:
    info = engine_info(motion_s=0.1, pictures_s=0.1)
    capacity = Capacity("auto", encode_cpu_ms=8.0, cores=1)
    one = 0.1 + 0.1 + 0.008 * 25 + NETWORK.cpu_s
    assert capacity.usual_cost(info).cpu_s == pytest.approx(one)
    assert capacity.max_sessions(info) == int(HEAD_ROOM / one)


def test_a_slow_machine_takes_one_session_and_a_huge_one_no_more_than_the_ring_has_lanes() -> None:
    assert Capacity("auto", cores=1).max_sessions(engine_info(5.0, 5.0)) == 1
    assert Capacity("auto", cores=1000).max_sessions(engine_info(0.0, 0.0)) == AUTO_LANES
    assert Capacity("auto").max_sessions(None) == 1


def test_larger_pictures_take_the_room_of_several() -> None:
    info = engine_info(motion_s=0.05, pictures_s=0.1)
    capacity = Capacity("auto", encode_cpu_ms=4.0, cores=2)
    usual = capacity.usual_cost(info)
    fitting = capacity.max_sessions(info)
    large = capacity.cost(info, "live", (1024, 1024))
    assert large.worker_s == pytest.approx(0.05 + 4 * 0.1)
    assert capacity.admits([usual] * (fitting - 1), usual)
    assert not capacity.admits([usual] * (fitting - 1), large)
    assert capacity.admits([], large)


def test_a_number_counts_sessions_whatever_they_cost() -> None:
    info = engine_info(5.0, 5.0)
    capacity = Capacity(3, cores=1)
    cost = capacity.usual_cost(info)
    assert capacity.max_sessions(info) == capacity.lanes == 3
    assert [capacity.admits([cost] * running, cost) for running in range(4)] == [1, 1, 1, 0]


def test_who_is_refused_asks_again_when_a_place_may_be_free() -> None:
    assert retry_after_s([]) == 10
    assert retry_after_s([3000.0, 4.2]) == 5
    assert retry_after_s([3000.0]) == 10  # it may end before its time
    assert retry_after_s([-5.0]) == 1


def test_the_setting_is_auto_or_a_number(tmp_path: Path) -> None:
    assert Limits().max_sessions == "auto"
    path = tmp_path / "server.yaml"
    path.write_text(json.dumps({"limits": {"max_sessions": 7}}))
    assert load_settings(path).limits.max_sessions == 7
    for wrong in (0, 300, "many"):
        path.write_text(json.dumps({"limits": {"max_sessions": wrong}}))
        with pytest.raises(ConfigError, match="max_sessions"):
            load_settings(path)


def test_encoding_has_a_price() -> None:
    price = encode_cpu_ms(load_shipped()[0].image, EncodingSettings())
    assert 0.0 < price < 1000.0


async def test_a_full_server_says_so_and_when_to_ask_again(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, limits=Limits(max_sessions=1))
    with run_fake_server(settings) as server:
        async with started_session(server) as (client, _):
            answer = await client.post("/v1/sessions", json={"avatar_id": "anna"})
            assert (answer.status_code, answer.json()["code"]) == (503, "at_capacity")
            assert 1 <= int(answer.headers["Retry-After"]) <= 10
            full = (await client.get("/v1/server")).json()["capacity"]
            assert full == {"max_sessions": 1, "sessions": 1, "measured": False}
        async with started_session(server):
            pass  # the place is free again


async def test_a_measured_server_tells_what_it_holds(tmp_path: Path) -> None:
    with run_fake_server(make_settings(tmp_path, limits=Limits())) as server:
        async with server.client() as client:
            capacity = (await client.get("/v1/server")).json()["capacity"]
        assert capacity["measured"]
        assert capacity["sessions"] == 0
        assert 1 <= capacity["max_sessions"] <= AUTO_LANES
