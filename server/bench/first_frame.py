"""How long a client waits for its first picture."""

import asyncio
import time

from server.bench.figures import FirstFrameFigures, spread
from server.bench.measured_peer import MeasuredPeer
from server.bench.target import BenchError, Target

_LIMIT_S = 20.0


async def measure_first_frame(target: Target, rounds: int) -> FirstFrameFigures:
    """Session after session. Raises BenchError when no picture comes."""
    from_offer, from_session = [], []
    for _ in range(rounds):
        peer = MeasuredPeer()
        asked_at = time.monotonic()
        created = await target.open_session()
        try:
            await peer.connect(target.client, created["urls"]["offer"])
            async with asyncio.timeout(_LIMIT_S):
                await peer.first_picture.wait()
        except TimeoutError as error:
            raise BenchError(f"no picture came within {_LIMIT_S:.0f} s") from error
        finally:
            await peer.close()
            await target.end_session(created)
        from_offer.append((peer.first_picture_at() - peer.offered_at) * 1000)
        from_session.append((peer.first_picture_at() - asked_at) * 1000)
    return FirstFrameFigures(spread(from_offer), spread(from_session))
