"""The shipped portraits, prepared and drawn by the lite renderer."""

from collections.abc import Iterable

from liveportrait.lite.engine import LitePortrait, LiteRenderer
from models.images import decode_image
from models.motion import Motion
from models.shapes import Image
from tests.conftest import ROOT


def prepared(renderer: LiteRenderer, names: Iterable[str]) -> dict[str, LitePortrait]:
    return {
        name: renderer.prepare(decode_image((ROOT / f"server/avatars/{name}.jpg").read_bytes()))
        for name in names
    }


def drawn(renderer: LiteRenderer, portrait: LitePortrait, generated: Motion) -> Image:
    frame: Image = renderer.render([portrait], renderer.drive(portrait, generated))[0]
    return frame
