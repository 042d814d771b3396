"""What a media file is, by its first bytes alone: neither its name nor a declared type counts.

FFmpeg is told which demuxer to use, so that it never guesses: among the formats that it knows are
playlists, which name other files and addresses for it to open.
"""

from pathlib import Path

_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
HEAD_BYTES = 16


def demuxer_of_file(path: Path) -> str | None:
    """The same for a file. Raises OSError."""
    with path.open("rb") as file:
        return demuxer_of(file.read(HEAD_BYTES))


def demuxer_of(head: bytes) -> str | None:
    """FFmpeg's name for the format of a file that begins with these bytes; None: not accepted."""
    if head[4:8] in _ATOMS:
        return "mp4"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head[:4] in (b"RIFF", b"RF64"):
        return {b"WAVE": "wav", b"AVI ": "avi"}.get(head[8:12])
    if head[:4] in (b"fLaC", b"OggS"):
        return "flac" if head[0:1] == b"f" else "ogg"
    if head.startswith(b"ID3"):
        return "mp3"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:  # the sync word of a frame
        return "aac" if head[1] & 0xF6 == 0xF0 else "mp3"
    return None
