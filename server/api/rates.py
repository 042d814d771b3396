"""Token buckets: how often one caller may do a thing. Bounded memory, whoever calls."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from server.config.security import KEYLESS_FACTOR
from server.config.settings import Settings

MAX_CALLERS = 10_000  # remembered by one limiter; the one unseen for longest is forgotten first
BURST_S = 15.0  # what may come at once, in seconds of the rate


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float  # seconds of the limiter's clock


class RateLimiter:
    """So many calls a minute for each caller, and those of ``burst_s`` at once; 0: no limit."""

    def __init__(
        self,
        per_minute: float,
        now: Callable[[], float] = time.monotonic,
        burst_s: float = BURST_S,
    ) -> None:
        self._per_s = per_minute / 60
        self._most = max(1.0, self._per_s * burst_s)
        self._now = now
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait_s(self, caller: str) -> float:
        """Seconds until the next call is allowed; 0 when it is now."""
        if self._per_s == 0 or caller not in self._buckets:
            return 0.0
        return max(0.0, (1 - self._filled(caller).tokens) / self._per_s)

    def take(self, caller: str) -> float:
        """Count a call. Returns 0, or the seconds to wait when there were too many; then the call
        does not count."""
        if self._per_s == 0:
            return 0.0
        wait = self.wait_s(caller)
        if wait == 0:
            self._filled(caller).tokens -= 1
        return wait

    def _filled(self, caller: str) -> _Bucket:
        now = self._now()
        bucket = self._buckets.setdefault(caller, _Bucket(self._most, now))
        bucket.tokens = min(self._most, bucket.tokens + (now - bucket.filled_at) * self._per_s)
        bucket.filled_at = now
        self._buckets.move_to_end(caller)
        if len(self._buckets) > MAX_CALLERS:
            self._buckets.popitem(last=False)
        return bucket


class RateLimits:
    """One limiter for each kind of call of settings ``security.rates``."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        rates = settings.security.rates
        factor = 1 if settings.auth_required else KEYLESS_FACTOR
        self.requests = RateLimiter(rates.requests_per_minute * factor, now)
        self.sessions = RateLimiter(rates.sessions_per_minute * factor, now)
        self.uploads = RateLimiter(rates.uploads_per_minute * factor, now)
        self.wrong_keys = RateLimiter(rates.wrong_keys_per_minute, now)


def caller_at(host: str) -> str:
    """The name under which an address is counted: whoever has an IPv6 address has 2^64 of them."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 6:
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)


def whole_seconds(wait_s: float) -> int:
    """For Retry-After."""
    return max(1, math.ceil(wait_s))
