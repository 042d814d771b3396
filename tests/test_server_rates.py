"""Token buckets, by a clock of our own."""

from dataclasses import dataclass

import pytest

from server.api import rates
from server.api.rates import RateLimiter, RateLimits, caller_at, whole_seconds
from server.config.security import KEYLESS_FACTOR, Rates, Security
from server.config.settings import Settings


@dataclass
class Clock:
    at_s: float = 0.0

    def __call__(self) -> float:
        return self.at_s


def taken(limiter: RateLimiter, caller: str, calls: int) -> int:
    return sum(limiter.take(caller) == 0 for _ in range(calls))


def test_a_quarter_of_a_minute_at_once_then_the_rate() -> None:
    clock = Clock()
    limiter = RateLimiter(60, clock)
    assert taken(limiter, "a", 100) == 15
    assert limiter.take("a") == pytest.approx(1.0)
    clock.at_s += 10
    assert taken(limiter, "a", 100) == 10
    clock.at_s += 1e6
    assert taken(limiter, "a", 100) == 15


def test_one_caller_does_not_use_up_another_s() -> None:
    limiter = RateLimiter(4, Clock())
    assert taken(limiter, "a", 5) == 1
    assert taken(limiter, "b", 5) == 1


def test_zero_is_no_limit() -> None:
    limiter = RateLimiter(0, Clock())
    assert taken(limiter, "a", 10_000) == 10_000
    assert len(limiter) == 0


def test_asking_does_not_count() -> None:
    limiter = RateLimiter(60, Clock())
    assert [limiter.wait_s("a") for _ in range(100)] == [0.0] * 100
    assert taken(limiter, "a", 100) == 15
    assert limiter.wait_s("a") > 0


def test_memory_is_bounded_and_the_least_seen_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rates, "MAX_CALLERS", 3)
    limiter = RateLimiter(4, Clock())
    for caller in "abc":
        limiter.take(caller)
    assert limiter.take("a") > 0
    limiter.take("d")
    assert len(limiter) == 3
    assert limiter.wait_s("a") > 0
    assert limiter.wait_s("b") == 0


def test_a_server_without_keys_is_generous_but_for_nothing_else() -> None:
    section = Security(rates=Rates(sessions_per_minute=4, wrong_keys_per_minute=4))
    closed = RateLimits(Settings(api_keys=["k"], security=section), Clock())
    is_open = RateLimits(Settings(security=section), Clock())
    assert taken(closed.sessions, "a", 1000) == 1
    assert taken(is_open.sessions, "a", 1000) == KEYLESS_FACTOR
    assert taken(is_open.wrong_keys, "a", 1000) == 1


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_addresses_of_one_network_are_one_caller(host: str, name: str) -> None:
    assert caller_at(host) == name


def test_retry_after_is_whole_and_never_zero() -> None:
    assert [whole_seconds(wait) for wait in (0.01, 1.0, 1.2)] == [1, 1, 2]
