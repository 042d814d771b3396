"""Live preview of the sliders: one process that keeps its engine, ended when nobody looks."""

import contextlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from models.errors import VisavisError
from server.jobs.process import end_process, give_way, start_process
from server.jobs.runner import JobCancelledError, JobFailedError
from server.studio.own_ratios import OwnRatios, own_ratios

if TYPE_CHECKING:
    from liveportrait.animation.sliders import SliderSettings

log = structlog.get_logger(__name__)

IDLE_LIMIT_S = 300.0  # a preview process without work ends
ANSWER_WITHIN_S = 120.0  # the neural engine takes seconds a picture on a CPU, and must load first
KEPT_PORTRAITS = 4
JPEG_QUALITY = 90


@dataclass(frozen=True, slots=True)
class PreviewRequest:
    """A portrait file and its sliders; without ``settings`` it stays as it is."""

    portrait: Path
    engine: str
    settings: "SliderSettings | None"


@dataclass(frozen=True, slots=True)
class PreviewPicture:
    """A JPEG, and how open the portrait's own eyes and lips are."""

    jpeg: bytes
    own: OwnRatios


class Preview:
    """Starts the process with the first request. Thread-safe: one request at a time."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._closed = False

    def picture(self, request: PreviewRequest) -> PreviewPicture:
        """Raises JobFailedError with the code of what went wrong, JobCancelledError at the end."""
        with self._turn:
            try:
                return self._ask(request)
            except (EOFError, OSError):
                self._stop()  # it had ended, of idleness for instance: once more with a new one
            try:
                return self._ask(request)
            except (EOFError, OSError) as error:
                self._stop()
                raise JobFailedError("internal", "the preview's process ended") from error

    def close(self) -> None:
        """Ends the process; later requests are refused."""
        self._closed = True
        process = self._process
        if process is not None:
            end_process(process)  # a request under way sees the end of the pipe
        with self._turn:
            self._stop()

    def _ask(self, request: PreviewRequest) -> PreviewPicture:
        if self._closed:
            raise JobCancelledError("the server is stopping")
        if self._process is None:
            self._process, self._connection = start_process(
                _preview_process, "visavis-studio-preview"
            )
        assert self._connection is not None
        self._connection.send(request)
        if not self._connection.poll(ANSWER_WITHIN_S):
            self._stop()
            raise JobFailedError("internal", f"no preview within {ANSWER_WITHIN_S:.0f} s")
        answer = self._connection.recv()
        if isinstance(answer, PreviewPicture):
            return answer
        raise JobFailedError(*answer)

    def _stop(self) -> None:
        if self._process is not None:
            end_process(self._process)
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None


def _preview_process(connection: Connection) -> None:
    from server.logs import configure_logs

    give_way()
    configure_logs("console", "warning")
    engines: dict[str, Any] = {}
    with contextlib.suppress(EOFError, OSError):
        while connection.poll(IDLE_LIMIT_S):
            connection.send(_answer(engines, connection.recv()))


def _answer(engines: dict[str, Any], request: PreviewRequest) -> object:
    try:
        if request.engine not in engines:
            engines[request.engine] = _load(request.engine)
        return engines[request.engine].picture(request)
    except VisavisError as error:
        return error.code, str(error)
    except Exception as error:
        log.exception("studio_preview_crashed")
        return "internal", f"{type(error).__name__}: {error}"


def _load(engine: str) -> Any:
    if engine == "lite":
        return LitePreview()
    from server.studio.neural_preview import NeuralPreview

    return NeuralPreview()


class LitePreview:
    """The lite engine behind the sliders."""

    def __init__(self) -> None:
        from liveportrait.lite.engine import LiteRenderer
        from liveportrait.lite.keypoint_map import load_keypoint_map
        from models.device import DevicePolicy
        from models.weights import WEIGHTS_DIR

        self._renderer = LiteRenderer(DevicePolicy(), WEIGHTS_DIR)
        self._eye_gap = load_keypoint_map(WEIGHTS_DIR / "lite" / "keypoint_map.safetensors").eye_gap
        self._portraits: OrderedDict[tuple[Path, int], Any] = OrderedDict()

    def picture(self, request: PreviewRequest) -> PreviewPicture:
        """Raises PortraitError."""
        from server.studio.sliders import lite_motion

        portrait = self._portrait(request.portrait)
        own = own_ratios(portrait.points)
        motion = portrait.source
        if request.settings is not None:
            generated = lite_motion(request.settings, own, portrait.mouth_width, self._eye_gap)
            motion = self._renderer.drive(portrait, generated)
        return PreviewPicture(encode_jpeg(self._renderer.render([portrait], motion)[0]), own)

    def _portrait(self, path: Path) -> Any:
        from models.images import decode_image

        key = (path, path.stat().st_mtime_ns)
        if key not in self._portraits:
            self._portraits[key] = self._renderer.prepare(decode_image(path.read_bytes()))
            if len(self._portraits) > KEPT_PORTRAITS:
                self._portraits.popitem(last=False)
        self._portraits.move_to_end(key)
        return self._portraits[key]


def encode_jpeg(picture: Any) -> bytes:
    """RGB uint8 [H, W, 3] -> JPEG."""
    import cv2

    written, jpeg = cv2.imencode(
        ".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    assert written
    return bytes(jpeg.tobytes())
