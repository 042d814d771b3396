"""``python -m server render`` around the fake engine: the file's pictures and its sound."""

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from models.errors import ConfigError, SoundError
from server.avatars import load_shipped
from server.config.settings import ROOT
from server.videos.offline import avatar_image, render_file
from server.videos.render_job import RenderJob
from tests.fake_engine import read_frame_number, read_level, write_config
from tests.server_fixtures import tone
from tests.test_server_api import wav_bytes


def speech_file(folder: Path) -> Path:
    speech = np.concatenate([tone(0.6), np.zeros(28_800, np.int16), tone(0.6)])
    path = folder / "speech.wav"
    path.write_bytes(wav_bytes(speech))
    return path


async def test_a_render_has_every_picture_and_the_whole_sound_in_step(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    engine = str(write_config(tmp_path))
    await render_file(RenderJob("anna", speech_file(tmp_path), out, 1, engine))
    with av.open(str(out)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with av.open(str(out)) as container:
        parts = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    assert [read_frame_number(picture) for picture in pictures] == list(range(45))
    sound = np.concatenate(parts)
    assert len(sound) / 48_000 == pytest.approx(1.8, abs=0.05)
    loud = [read_level(picture) > 100 for picture in pictures]
    assert loud == [True] * 15 + [False] * 15 + [True] * 15
    heard = np.abs(sound[: 44 * 1920].reshape(44, 1920)).max(axis=1) > 0.1
    assert (heard == np.array(loud[:44])).mean() > 0.9


async def test_a_bad_sound_file_is_refused_before_the_engine_starts(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    with pytest.raises(SoundError, match=r"text\.wav"):
        await render_file(RenderJob("anna", text, tmp_path / "o.mp4", 0, "lite"))


async def test_an_output_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    job = RenderJob("anna", speech_file(tmp_path), tmp_path / "no" / "o.mp4", 0, "lite")
    with pytest.raises(ConfigError, match="no folder"):
        await render_file(job)


def test_avatars_are_found_by_id_name_or_file(tmp_path: Path) -> None:
    anna = load_shipped()[0].image
    assert avatar_image("anna") == avatar_image("Anna") == anna
    path = tmp_path / "me.jpg"
    path.write_bytes(anna)
    assert avatar_image(str(path)) == anna
    with pytest.raises(ConfigError, match="anna"):
        avatar_image("nobody")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["render", "--avatar", "nobody", "--audio", "x", "--out", "y"], "there is no avatar"),
        (["serve", "--engine", "heavy"], "no engine 'heavy'"),
        (["serve", "--host", "0.0.0.0"], "VISAVIS_API_KEYS"),
        (["serve", "--config", "none.yaml"], "none.yaml"),
    ],
)
def test_the_command_line_says_what_is_wrong(arguments: list[str], said: str) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("VISAVIS_")}
    done = subprocess.run(
        [sys.executable, "-m", "server", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
