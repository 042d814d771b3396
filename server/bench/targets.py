"""What the figures are held against: a live session as people expect it."""

from collections.abc import Iterator
from dataclasses import dataclass

from server.bench.figures import (
    ClientFigures,
    FirstFrameFigures,
    InterruptFigures,
    SoakFigures,
    Spread,
    VideoFigures,
)

LEAST_FPS = 24.8  # 25 but for the edges of the time that was counted


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report. ``met`` is None where nothing is asked for or nothing was seen."""

    what: str
    figure: str
    target: str = ""
    met: bool | None = None


def client_rows(name: str, of: ClientFigures) -> Iterator[Row]:
    """One live client."""
    yield Row(f"{name}: pictures a second", f"{of.fps:.2f}", "25", of.fps >= LEAST_FPS)
    yield Row(f"{name}: freezes (gaps over 200 ms)", f"{of.freezes}", "0", of.freezes == 0)
    yield Row(f"{name}: longest gap between pictures", f"{of.longest_gap_ms:.0f} ms")
    yield Row(f"{name}: pictures that came late", f"{of.frames_late}")
    yield below(f"{name}: voice to lips", of.voice_to_lips_ms, 500)
    yield below(f"{name}: voice to its own sound", of.voice_to_sound_ms, 500)
    yield below(f"{name}: picture against sound", of.av_gap_ms, 40)
    lag = of.mouth_behind_sound_ms
    yield Row(f"{name}: mouth behind sound", "-" if lag is None else f"{lag:.0f} ms")


def first_frame_rows(of: FirstFrameFigures) -> Iterator[Row]:
    """A session's start."""
    yield below("first picture, from asking for a session", of.from_session_ms, 800)
    yield below("first picture, from the offer", of.from_offer_ms, 800)


def interrupt_rows(of: InterruptFigures) -> Iterator[Row]:
    """An interruption."""
    yield below("interrupt to silence", of.to_silence_ms, 250)
    yield below("interrupt to rest", of.to_rest_ms, 250)


def video_rows(of: VideoFigures) -> Iterator[Row]:
    """Videos on order."""
    limit, fast = f"< {of.seconds:g} s", of.next_s < of.seconds
    yield Row(f"video of {of.seconds:g} s, the first one", f"{of.first_s:.1f} s")
    yield Row(f"video of {of.seconds:g} s, the next one", f"{of.next_s:.1f} s", limit, fast)


def soak_rows(of: SoakFigures) -> Iterator[Row]:
    """A long session."""
    yield Row("soak: minutes", f"{of.minutes:g}")
    drift = max(abs(of.drift_ms), abs(of.av_drift_ms))
    shown = f"{of.drift_ms:.1f} / {of.av_drift_ms:.1f} ms"
    yield Row("soak: drift of clock / of picture against sound", shown, "< 20 ms", drift < 20)
    for name, grown in of.memory_growth_mb.items():
        yield Row(f"soak: memory of {name}, growth", f"{grown:.1f} MB", "flat", grown < 20)
    yield Row("soak: freezes", f"{of.freezes}", "0", of.freezes == 0)
    yield Row("soak: pictures that came late", f"{of.frames_late}")


def below(what: str, of: Spread | None, limit_ms: float) -> Row:
    """The median is what is asked for; p95 and worst are told."""
    if of is None:
        return Row(what, "nothing seen", f"< {limit_ms:g} ms")
    figure = f"{of.median:.0f} ms (p95 {of.p95:.0f}, worst {of.worst:.0f}, n {of.count})"
    return Row(what, figure, f"< {limit_ms:g} ms", of.median < limit_ms)
