"""Videos from order to end: restarts, crashes, cancelling, expiry. Jobs run in real processes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from liveportrait.output import OutputOptions, PictureBackground
from models.shapes import PcmArray
from models.sound import read_sound
from server.api.problems import ApiError
from server.config.videos import VideoSettings
from server.engine.config import MotionLevels
from server.jobs.runner import JobRunner
from server.jobs.task import Task
from server.speech_synthesis.synthesiser import (
    SpeechServiceFailedError,
    SpeechSynthesiser,
    VoiceChoice,
)
from server.storage.schema import VideoRow
from server.storage.storage import Storage
from server.videos.queue import VideoQueue
from server.videos.render_job import RenderJob
from server.videos.spoken_text import TextSpeaker
from server.videos.video import Look, VideoOrder, look_of
from server.videos.video_store import MAX_TRIES, VideoStore, content_file
from tests.server_fixtures import tone
from tests.storage_fixtures import sqlite_storage
from tests.video_orders import order
from tests.video_tasks import (
    CONTENT,
    DyingOnceTask,
    DyingTask,
    RefusingTask,
    SleepingTask,
    SoundTask,
    WritingTask,
)

SETTINGS = VideoSettings(max_waiting_per_owner=3, keep_days=7, max_total_bytes=1024**2)
START = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE_S = 180.0  # jobs give way to everything else on the machine


class Clock:
    """Time that passes when the test says so, and a moment with every look."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


class ToneVoice:
    """A second of tone for every sentence; ``sentences`` is what it was asked for."""

    voices = (VoiceChoice("tone", "Tone", None),)

    def __init__(self, failure: Exception | None = None) -> None:
        self.sentences: list[str] = []
        self._failure = failure

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def speak(self, sentence: str, voice: str) -> AsyncIterator[PcmArray]:
        assert voice == "tone"
        self.sentences.append(sentence)
        if self._failure is not None:
            raise self._failure
        yield tone(1.0)


@asynccontextmanager
async def serving(
    storage: Storage,
    task_of: Callable[[RenderJob], Task],
    voice: SpeechSynthesiser | None = None,
) -> AsyncIterator[tuple[VideoStore, VideoQueue]]:
    """A server's part of it, from start to stop."""
    videos = VideoStore(storage, SETTINGS)
    queue = VideoQueue(videos, storage, JobRunner(), "fake", TextSpeaker(voice, 1000, 5.0), task_of)
    queue.watch()
    try:
        yield videos, queue
    finally:
        await queue.close()


async def until(videos: VideoStore, video_id: str, *statuses: str) -> VideoRow:
    """The video once it is in one of these."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            row = await videos.get(video_id, "me")
            if row.status in statuses:
                return row
            await asyncio.sleep(0.02)


def files_of(storage: Storage, video_id: str) -> list[str]:
    return sorted(path.name for path in storage.files.folder.glob(f"{video_id}*"))


# the table


async def test_a_video_keeps_what_was_ordered(storage: Storage) -> None:
    videos = VideoStore(storage, SETTINGS)
    look = Look(
        OutputOptions(256, "full", PictureBackground(b"a beach")), MotionLevels(head=0.5), 3
    )
    row = await videos.add(order(look=look, text="hello", voice="v"))
    found = await videos.get(row.video_id, "me")
    assert (found.status, found.text, found.voice, found.tries) == ("queued", "hello", "v", 0)
    assert look_of(found.look, b"a beach") == look
    assert files_of(storage, row.video_id) == [
        f"{row.video_id}.{kind}" for kind in ("background", "portrait", "sound")
    ]


async def test_other_peoples_videos_are_not_there(storage: Storage) -> None:
    videos = VideoStore(storage, SETTINGS)
    mine = await videos.add(order("me"))
    assert await videos.all("you") == []
    for call in (videos.get, videos.delete):
        with pytest.raises(ApiError, match="there is no video") as caught:
            await call(mine.video_id, "you")
        assert caught.value.code == "not_found"
    assert [row.video_id for row in await videos.all("me")] == [mine.video_id]


async def test_one_owner_cannot_fill_the_queue(storage: Storage) -> None:
    videos = VideoStore(storage, SETTINGS)
    asked = [videos.add(order("me")) for _ in range(8)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, ApiError)]
    assert [error.code for error in refused] == ["video_queue_full"] * 5
    assert len(list(storage.files.folder.iterdir())) == 3 * 2  # nothing is left of the refused
    await videos.add(order("you"))


async def test_owners_take_turns(storage: Storage) -> None:
    videos = VideoStore(storage, SETTINGS, Clock())
    for owner in ("me", "me", "me", "you"):
        await videos.add(order(owner))
    owners = [row.owner for _ in range(4) if (row := await videos.claim()) is not None]
    assert owners == ["me", "you", "me", "me"]
    assert await videos.claim() is None


async def test_what_ran_when_the_server_died_is_begun_again_once(storage: Storage) -> None:
    videos = VideoStore(storage, SETTINGS)
    added = await videos.add(order())
    for attempt in range(1, MAX_TRIES + 1):
        row = await videos.claim()
        assert row is not None
        assert (row.video_id, row.tries) == (added.video_id, attempt)
        await VideoStore(storage, SETTINGS).recover()
    row = await videos.get(added.video_id, "me")
    assert (row.status, row.error_code) == ("failed", "interrupted")
    assert "2 times" in (row.error_message or "")


async def test_old_videos_expire(storage: Storage) -> None:
    clock = Clock()
    videos = VideoStore(storage, SETTINGS, clock)
    old = await done_video(videos, storage, "me", 10)
    clock.now += timedelta(days=3)
    young = await done_video(videos, storage, "me", 10)
    waiting = await videos.add(order())
    clock.now += timedelta(days=4.5)
    assert await videos.expire() == [old]
    assert {row.video_id for row in await videos.all("me")} == {young, waiting.video_id}
    assert files_of(storage, old) == []
    assert content_file(young) in files_of(storage, young)


async def test_above_the_limit_the_oldest_of_whoever_has_most_goes(storage: Storage) -> None:
    videos = VideoStore(storage, SETTINGS, Clock())
    modest = await done_video(videos, storage, "you", 300_000)
    hoard = [await done_video(videos, storage, "me", 300_000) for _ in range(4)]
    assert await videos.expire() == hoard[:2]
    assert [row.video_id for row in await videos.all("you")] == [modest]


async def done_video(videos: VideoStore, storage: Storage, owner: str, byte_count: int) -> str:
    """One that says it has so many bytes."""
    added = await videos.add(order(owner))
    await storage.files.write(content_file(added.video_id), b"mp4")
    row = await videos.claim()
    assert row is not None
    assert row.video_id == added.video_id
    await videos.finish(row.video_id, byte_count)
    return row.video_id


# the queue


async def test_a_video_is_made_and_its_sources_go(tmp_path: Path) -> None:
    async with sqlite_storage(tmp_path) as opened, serving(opened, WritingTask) as (videos, queue):
        row = await videos.add(order())
        queue.wake()
        done = await until(videos, row.video_id, "done", "failed")
        assert (done.status, done.progress, done.error_code) == ("done", 1.0, None)
        content = await opened.files.read(content_file(row.video_id))
        assert content == CONTENT + b"a face"
        assert done.byte_count == len(content)
        async with asyncio.timeout(PATIENCE_S):
            while files_of(opened, row.video_id) != [content_file(row.video_id)]:
                await asyncio.sleep(0.01)


async def test_what_people_can_mend_is_not_tried_twice(tmp_path: Path) -> None:
    async with sqlite_storage(tmp_path) as opened, serving(opened, RefusingTask) as (videos, _):
        row = await until(videos, (await videos.add(order())).video_id, "failed")
        assert (row.error_code, row.tries) == ("no_face", 1)


async def test_a_crash_is_tried_again_and_then_told(tmp_path: Path) -> None:
    async with sqlite_storage(tmp_path) as opened:
        async with serving(opened, DyingOnceTask) as (videos, _):
            row = await until(videos, (await videos.add(order())).video_id, "done", "failed")
            assert (row.status, row.tries) == ("done", 2)
        async with serving(opened, DyingTask) as (videos, _):
            row = await until(videos, (await videos.add(order())).video_id, "failed")
            assert (row.error_code, row.tries) == ("internal", MAX_TRIES)
            assert "(exit code -9); it was tried twice" in (row.error_message or "")
    assert files_of(opened, row.video_id) == []


async def test_cancelling_ends_the_job_and_removes_its_files(tmp_path: Path) -> None:
    async with sqlite_storage(tmp_path) as opened, serving(opened, SleepingTask) as (videos, queue):
        running, waiting = await videos.add(order()), await videos.add(order())
        queue.wake()
        await until(videos, running.video_id, "running")
        for row in (waiting, running):
            await videos.delete(row.video_id, "me")
            assert (await videos.get(row.video_id, "me")).status == "cancelled"
        async with asyncio.timeout(PATIENCE_S):
            while files_of(opened, "v_"):
                await asyncio.sleep(0.02)
        await videos.delete(running.video_id, "me")
        with pytest.raises(ApiError, match="there is no video"):
            await videos.get(running.video_id, "me")


async def test_a_stopped_server_leaves_its_video_to_the_next_one(tmp_path: Path) -> None:
    async with sqlite_storage(tmp_path) as opened, serving(opened, SleepingTask) as (videos, _):
        row = await videos.add(order())
        async with asyncio.timeout(PATIENCE_S):
            while (await videos.get(row.video_id, "me")).progress != 0.5:
                await asyncio.sleep(0.02)
    async with sqlite_storage(tmp_path) as opened:
        left = await VideoStore(opened, SETTINGS).get(row.video_id, "me")
        assert (left.status, left.tries, left.progress) == ("queued", 0, 0.0)
        assert not any(name.endswith(".part") for name in files_of(opened, "v_"))
        async with serving(opened, WritingTask) as (videos, _):
            assert (await until(videos, row.video_id, "done", "failed")).status == "done"


async def test_of_two_servers_one_makes_the_videos_and_the_other_follows(tmp_path: Path) -> None:
    async with sqlite_storage(tmp_path) as first, sqlite_storage(tmp_path) as second:
        async with serving(first, SleepingTask) as (videos, _):
            row = await videos.add(order())
            await until(videos, row.video_id, "running")
            async with serving(second, WritingTask) as (others, _):
                await others.delete(row.video_id, "me")
                async with asyncio.timeout(PATIENCE_S):
                    while files_of(first, row.video_id):
                        await asyncio.sleep(0.02)
        first.lock.release()
        async with serving(second, WritingTask) as (others, _):
            row = await others.add(order())
            assert (await until(others, row.video_id, "done")).tries == 1


# text


def text_order(text: str) -> VideoOrder:
    return order(sound=None, text=text, duration_s=None)


async def test_a_text_is_spoken_before_it_is_rendered(tmp_path: Path) -> None:
    voice = ToneVoice()
    async with (
        sqlite_storage(tmp_path) as opened,
        serving(opened, SoundTask, voice) as (videos, _),
    ):
        video_id = (await videos.add(text_order("Good morning. How are you?"))).video_id
        row = await until(videos, video_id, "done", "failed")
        assert (row.status, row.duration_s) == ("done", 2.0)
        content = await opened.files.read(content_file(video_id))
    assert voice.sentences == ["Good morning.", "How are you?"]
    assert content is not None
    assert len(read_sound(content)) == 2 * 16_000


@pytest.mark.parametrize(
    ("text", "failure", "code"),
    [
        ("One. Two. Three. Four. Five. Six.", None, "bad_audio"),
        ("One.", SpeechServiceFailedError("the speech service is down"), "speech_service_failed"),
        ("...", None, "bad_text"),
    ],
    ids=["too long", "service down", "nothing to say"],
)
async def test_a_text_that_cannot_be_spoken_is_told(
    tmp_path: Path, text: str, failure: Exception | None, code: str
) -> None:
    async with (
        sqlite_storage(tmp_path) as opened,
        serving(opened, SoundTask, ToneVoice(failure)) as (videos, _),
    ):
        row = await until(videos, (await videos.add(text_order(text))).video_id, "failed")
        assert row.error_code == code
