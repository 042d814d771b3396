"""decode_image: what people upload, upright and opaque, or a named refusal."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from models.errors import ImageTooLargeError, NotAnImageError
from models.images import MAX_IMAGE_BYTES, MAX_JPEG_SCANS, decode_image


def encoded(picture: Pillow.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def half_red(width: int = 40, height: int = 20) -> Pillow.Image:
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[:, : width // 2] = (255, 0, 0)
    return Pillow.fromarray(pixels)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_each_accepted_format_decodes_to_rgb(form: str) -> None:
    rgb = decode_image(encoded(half_red(), form))
    assert rgb.shape == (20, 40, 3)
    assert rgb.dtype == np.uint8
    np.testing.assert_allclose(rgb[10, 5], (255, 0, 0), atol=12)


def test_exif_orientation_is_applied() -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6  # to be turned 90 degrees clockwise for display
    rgb = decode_image(encoded(half_red(), "JPEG", exif=exif.tobytes()))
    assert rgb.shape == (40, 20, 3)
    np.testing.assert_allclose(rgb[5, 10], (255, 0, 0), atol=12)  # the left half is now on top


def test_transparent_pixels_become_white() -> None:
    clear = Pillow.fromarray(np.zeros((8, 8, 4), np.uint8))
    assert (decode_image(encoded(clear, "PNG")) == 255).all()


def test_deep_grey_keeps_its_tones() -> None:
    ramp = np.tile(np.linspace(0, 65535, 32).astype(np.uint16), (4, 1))
    rgb = decode_image(encoded(Pillow.fromarray(ramp), "PNG"))
    np.testing.assert_allclose(rgb[0, :, 0], ramp[0] >> 8, atol=1)


def test_palette_and_cmyk_pictures_decode() -> None:
    for mode, form in [("P", "PNG"), ("CMYK", "JPEG"), ("L", "JPEG")]:
        assert decode_image(encoded(half_red().convert(mode), form)).shape == (20, 40, 3)


def test_a_single_pixel_is_a_picture() -> None:
    assert decode_image(encoded(half_red(1, 1), "PNG")).shape == (1, 1, 3)


def header_only_png(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))


@pytest.mark.parametrize("size", [(8000, 6250), (4097, 10), (60_000, 60_000)])
def test_size_is_refused_by_the_header_alone(size: tuple[int, int]) -> None:
    with pytest.raises(ImageTooLargeError, match="4096") as refusal:
        decode_image(header_only_png(*size))
    assert refusal.value.code == "too_large"


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(ImageTooLargeError, match="10 MB"):
        decode_image(b"\0" * (MAX_IMAGE_BYTES + 1))


@pytest.mark.parametrize(
    "data",
    [b"", b"hello, this is text", header_only_png(64, 64), encoded(half_red(), "GIF")],
    ids=["empty", "text", "pixels-missing", "gif"],
)
def test_other_data_is_no_picture(data: bytes) -> None:
    with pytest.raises(NotAnImageError, match="JPEG, PNG or WebP"):
        decode_image(data)


def test_a_cut_off_jpeg_is_no_picture() -> None:
    whole = encoded(half_red(400, 300), "JPEG")
    with pytest.raises(NotAnImageError):
        decode_image(whole[: len(whole) // 2])


def with_scans(scans: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    whole = encoded(half_red(64, 64), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    scan, end = whole[last:-2], whole[-2:]
    return whole[:last] + scan * (scans - whole[:last].count(b"\xff\xda")) + end


def test_scans_are_counted_before_they_are_decoded() -> None:
    assert decode_image(with_scans(MAX_JPEG_SCANS)).shape == (64, 64, 3)
    with pytest.raises(ImageTooLargeError, match="33 scans; accepted are up to 32"):
        decode_image(with_scans(MAX_JPEG_SCANS + 1))


def test_of_an_animation_the_first_frame_is_taken() -> None:
    blue = Pillow.new("RGB", (40, 20), (0, 0, 255))
    for form in ("WEBP", "PNG"):
        moving = encoded(half_red(), form, save_all=True, append_images=[blue] * 200)
        rgb = decode_image(moving)
        np.testing.assert_allclose(rgb[10, 5], (255, 0, 0), atol=12)


def test_text_that_unpacks_to_more_than_its_picture_is_not_unpacked() -> None:
    packed = zlib.compress(bytes(8 << 20), 9)
    body = b"Comment\0\0" + packed
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body
    chunk += struct.pack(">I", zlib.crc32(b"zTXt" + body))
    plain = encoded(half_red(), "PNG")
    bomb = plain[:33] + chunk + plain[33:]  # after IHDR
    with pytest.raises(NotAnImageError):
        decode_image(bomb)
