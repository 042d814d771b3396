"""Two videos of the real lite engine over the API, one after the other: what a user gets."""

from pathlib import Path

import av
import numpy as np
import pytest

from server.config.settings import ROOT
from server.jobs.runner import JobRunner
from server.videos.render_job import RenderJob
from server.videos.render_task import RenderTask
from tests.server_fixtures import make_settings, run_fake_server
from tests.waiting import video_until

HELLO = ROOT / "client" / "web" / "samples" / "hello.wav"


def frames_and_sound(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pictures [T, H, W, 3] and the wave [n]."""
    with av.open(str(path)) as container:
        pictures = np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])
    with av.open(str(path)) as container:
        sound = np.concatenate([f.to_ndarray().reshape(-1) for f in container.decode(audio=0)])
    return pictures, sound


async def test_a_real_face_speaks_two_videos_from_one_loaded_engine(tmp_path: Path) -> None:
    voice = two_seconds(tmp_path)
    settings = make_settings(tmp_path, engine="lite", text_to_speech="off")
    with run_fake_server(settings) as server:
        async with server.client() as client:
            ordered = []
            for avatar_id in ("anna", "bruno"):
                form = {"avatar_id": avatar_id, "seed": "3"}
                files = {"audio": ("hello.wav", voice)}
                answer = await client.post("/v1/videos", data=form, files=files)
                assert answer.status_code == 202, answer.text
                ordered.append(answer.json()["id"])
            faces = []
            for video_id in ordered:
                done = await video_until(client, video_id, "done", "failed")
                assert (done["status"], done["error"]) == ("done", None)
                path = tmp_path / f"{video_id}.mp4"
                path.write_bytes((await client.get(done["content_url"])).content)
                pictures, sound = frames_and_sound(path)
                check_talking_face(pictures, sound)
                faces.append(pictures[0].astype(int))
    assert np.abs(faces[0] - faces[1]).mean() > 10, "the second video shows the first one's face"


def two_seconds(folder: Path) -> bytes:
    """Of the sample voice, as a WAV file."""
    import soundfile

    wave, rate_hz = soundfile.read(HELLO, frames=-1, dtype="float32")
    path = folder / "voice.wav"
    soundfile.write(path, wave[: 2 * rate_hz], rate_hz)
    return path.read_bytes()


def check_talking_face(pictures: np.ndarray, sound: np.ndarray) -> None:
    assert pictures.shape == (50, 512, 512, 3)
    assert len(sound) / 48_000 == pytest.approx(2.0, abs=0.05)
    assert np.abs(sound).max() > 0.05
    assert 40 < pictures.mean() < 215
    assert pictures.std(axis=(1, 2, 3)).min() > 20  # no empty picture
    moved = np.abs(np.diff(pictures.astype(int), axis=0)).mean(axis=(1, 2, 3))
    assert moved.max() < 15  # no jump
    assert (moved > 0.05).mean() > 0.9  # every picture is a new one


def test_the_engine_of_the_first_video_is_there_for_the_second(tmp_path: Path) -> None:
    from tests.fake_engine import write_config

    voice = tmp_path / "voice.wav"
    voice.write_bytes(two_seconds(tmp_path))
    engine = str(write_config(tmp_path))
    runner = JobRunner()

    def steps_of(name: str) -> list[str]:
        job = RenderJob("anna", voice, tmp_path / f"{name}.mp4", 1, engine, "chunk")
        steps: list[str] = []
        runner.run("me", RenderTask(job), lambda _done, _all, what: steps.append(what))
        return steps

    try:
        said = [steps_of("one"), steps_of("two")]
    finally:
        runner.close()
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
    assert [steps[0] for steps in said] == ["Loading the engine", "Rendering"]
