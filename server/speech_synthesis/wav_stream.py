"""The sound inside a WAV file that is still arriving."""

import struct

from models.shapes import PcmArray
from server.speech_synthesis.synthesiser import SpeechServiceFailedError
from server.voice.pcm import PcmConverter

_MAX_HEADER_BYTES = 64 * 1024
_PCM, _EXTENSIBLE = 1, 0xFFFE
_MIN_RATE_HZ, _MAX_RATE_HZ = 8_000, 48_000


class WavStream:
    """Bytes of a WAV file (PCM, 16 bits, mono) in pieces of any size -> int16 at 48 kHz."""

    def __init__(self) -> None:
        self._header = b""
        self._converter: PcmConverter | None = None
        self._left = 0  # bytes of sound that are still to come

    def push(self, data: bytes) -> PcmArray | None:
        """The samples [n] that these bytes complete; None while the header is incomplete.

        Raises SpeechServiceFailedError.
        """
        if self._converter is None:
            self._header += data
            start = self._find_sound()
            if start is None:
                return None
            data, self._header = self._header[start:], b""
        assert self._converter is not None
        data = data[: self._left]
        self._left -= len(data)
        return self._converter.push(data)

    def finish(self) -> PcmArray:
        """What was still inside. Raises SpeechServiceFailedError for a file without sound."""
        if self._converter is None:
            raise SpeechServiceFailedError("the speech service's answer is no WAV file")
        return self._converter.finish()

    def _find_sound(self) -> int | None:
        header = self._header
        if len(header) >= 12 and (header[:4] != b"RIFF" or header[8:12] != b"WAVE"):
            raise SpeechServiceFailedError("the speech service's answer is no WAV file")
        place, rate_hz = 12, 0
        while place + 8 <= len(header):
            name, size = header[place : place + 4], struct.unpack_from("<I", header, place + 4)[0]
            if name == b"data" and rate_hz:
                self._converter = PcmConverter(rate_hz)
                # who writes the header before the sound is made does not know its length
                self._left = size if 0 < size < 0xFFFFFF00 else 1 << 62
                return place + 8
            if name == b"fmt " and place + 24 <= len(header):
                rate_hz = _rate_of(header[place + 8 : place + 24])
            place += 8 + size + size % 2
        if len(header) > _MAX_HEADER_BYTES:
            raise SpeechServiceFailedError("the speech service's WAV file has no sound")
        return None


def _rate_of(form: bytes) -> int:
    code, channels, rate_hz, _, _, bits = struct.unpack("<HHIIHH", form)
    if code not in (_PCM, _EXTENSIBLE) or channels != 1 or bits != 16:
        raise SpeechServiceFailedError(
            f"the speech service sent WAV of kind {code} with {channels} channels of {bits} bits;"
            " accepted: PCM, mono, 16 bits"
        )
    if not _MIN_RATE_HZ <= rate_hz <= _MAX_RATE_HZ:
        raise SpeechServiceFailedError(
            f"the speech service sent {rate_hz} Hz; accepted: {_MIN_RATE_HZ} to {_MAX_RATE_HZ}"
        )
    rate: int = rate_hz
    return rate
