"""A worker that cannot keep up: what it does without, in which order, and how it recovers."""

from collections.abc import Callable, Iterator

import pytest

from server.engine.degradation import (
    CALM_WINDOWS,
    LADDER,
    MOST_CALM_WINDOWS,
    WINDOW_S,
    DegradationLadder,
)
from tests.virtual_worker import Costs, VirtualWorker

Start = Callable[[Costs], VirtualWorker]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[VirtualWorker] = []

    def begin(costs: Costs) -> VirtualWorker:
        started.append(VirtualWorker(costs))
        return started[-1]

    yield begin
    for worker in started:
        worker.close()


def late_since(worker: VirtualWorker, seconds: float) -> int:
    before = sum(one.seen["late"] for one in worker.playing.values())
    worker.run(seconds)
    return sum(one.seen["late"] for one in worker.playing.values()) - before


def test_a_machine_that_keeps_up_draws_everything(start: Start) -> None:
    worker = start(Costs(hop_s=0.04, hurried_hop_s=0.03, picture_s=0.006))
    worker.open("a", speaks=True)
    worker.open("b")
    worker.run(20)
    assert worker.level == "none"
    assert not worker.levels
    for one in worker.playing.values():
        assert one.seen["late"] == one.seen["repeated"] == 0
        assert one.seen["drawn"] >= 20 * 25 - 10


def test_first_who_is_idle_does_without(start: Start) -> None:
    # 10 hops of 40 ms and 50 pictures of 13 ms are more than a second
    worker = start(Costs(hop_s=0.04, hurried_hop_s=0.03, picture_s=0.013))
    worker.open("speaks", speaks=True)
    worker.open("idle")
    worker.run(5)
    assert [level for _, level in worker.levels] == ["no_idle_refinement"]
    assert late_since(worker, 4) == 0
    assert worker.playing["speaks"].seen["repeated"] == 0
    assert worker.playing["idle"].seen["repeated"] > 4 * 12


def test_then_everybody_is_drawn_half_as_often_while_the_clock_goes_on(start: Start) -> None:
    worker = start(Costs(hop_s=0.04, hurried_hop_s=0.03, picture_s=0.016))
    worker.open("a", speaks=True)
    worker.open("b", speaks=True)
    worker.run(6)
    assert [level for _, level in worker.levels] == list(LADDER[1:])
    before = {name: (one.ticks, one.seen["drawn"]) for name, one in worker.playing.items()}
    assert late_since(worker, 4) == 0
    for name, one in worker.playing.items():
        ticks, drawn = before[name]
        assert one.ticks is not None
        assert ticks is not None
        assert one.ticks - ticks == pytest.approx(200, abs=2)
        assert one.seen["drawn"] - drawn == pytest.approx(50, abs=2)


def test_it_recovers_step_by_step_when_the_load_is_gone(start: Start) -> None:
    costs = Costs(hop_s=0.04, hurried_hop_s=0.03, picture_s=0.016)
    worker = start(costs)
    worker.open("a", speaks=True)
    worker.open("b", speaks=True)
    worker.run(6)
    assert worker.level == "lower_rate"
    costs.picture_s, gone_s = 0.004, costs.now_s
    worker.run(3 * (CALM_WINDOWS + 1))
    steps = [(at_s - gone_s, level) for at_s, level in worker.levels if at_s > gone_s]
    assert [level for _, level in steps] == ["no_idle_refinement", "none"]
    assert steps[0][0] >= (CALM_WINDOWS - 1) * WINDOW_S
    assert steps[1][0] - steps[0][0] >= CALM_WINDOWS * WINDOW_S
    assert late_since(worker, 5) == 0


def test_a_worker_without_room_for_more_does_not_try(start: Start) -> None:
    # at half the rate it is busy for 0.4 + 0.4 s of a second: in time, but full
    worker = start(Costs(hop_s=0.04, hurried_hop_s=0.03, picture_s=0.016))
    worker.open("a", speaks=True)
    worker.open("b", speaks=True)
    worker.run(40)
    assert [level for _, level in worker.levels] == list(LADDER[1:])


def test_sessions_that_begin_take_nothing_from_one_that_plays(start: Start) -> None:
    worker = start(Costs(hop_s=0.04, hurried_hop_s=0.04, picture_s=0.003))
    worker.open("first", speaks=True)
    worker.run(3)
    for _ in range(10):
        for name in ("second", "third"):
            worker.open(name)
        worker.run(1.03)  # so that they begin at another moment of the first one's hop each time
        for name in ("second", "third"):
            assert worker.playing[name].ticks is not None, "they start, too"
            worker.end(name)
    assert worker.playing["first"].seen["late"] == 0


def test_two_sessions_on_a_machine_too_slow_for_them_suffer_alike(start: Start) -> None:
    worker = start(Costs(hop_s=0.10, hurried_hop_s=0.10, picture_s=0.03))
    worker.open("a", speaks=True)
    worker.open("b", speaks=True)
    worker.run(20)
    a, b = (worker.playing[name].seen["drawn"] for name in ("a", "b"))
    assert a > 0
    assert a == pytest.approx(b, rel=0.2)


class Windows:
    """A ladder that is told what was seen, window by window."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.ladder = DegradationLadder(0.0)

    def pass_one(self, late: int = 0, busy_s: float = 0.3) -> str:
        self.now_s += WINDOW_S
        self.ladder.note_pictures(25, late)
        self.ladder.note_work(busy_s)
        self.ladder.advance(self.now_s)
        return self.ladder.level

    def fall_behind(self) -> None:
        """One step down."""
        for _ in range(2):
            self.pass_one(late=20)

    def calm_until_up(self) -> int:
        before = self.ladder.level
        for windows in range(1, 200):
            if self.pass_one() != before:
                return windows
        pytest.fail("it never recovers")


def test_one_late_picture_is_no_lag() -> None:
    windows = Windows()
    assert [windows.pass_one(late=2) for _ in range(20)] == ["none"] * 20


def test_one_hiccup_is_forgiven_and_a_second_one_soon_after_is_not() -> None:
    windows = Windows()
    for _ in range(5):
        assert windows.pass_one(late=20) == "none"
        assert [windows.pass_one() for _ in range(2)] == ["none"] * 2
    assert [windows.pass_one(late) for late in (3, 0, 3)] == ["none", "none", "no_idle_refinement"]


def test_the_rate_is_halved_only_where_more_pictures_would_be_late() -> None:
    windows = Windows()
    windows.fall_behind()
    assert {windows.pass_one(late=6) for _ in range(20)} == {"no_idle_refinement"}
    assert [windows.pass_one(late=7) for _ in range(2)] == ["no_idle_refinement", "lower_rate"]
    assert {windows.pass_one(late=25) for _ in range(20)} == {"lower_rate"}


def test_each_relapse_doubles_the_calm_that_recovery_takes() -> None:
    windows = Windows()
    waits = []
    for _ in range(6):
        windows.fall_behind()
        waits.append(windows.calm_until_up())
    assert waits == [5, 10, 20, 40, MOST_CALM_WINDOWS, MOST_CALM_WINDOWS]


def test_a_calm_hour_forgets_old_relapses() -> None:
    windows = Windows()
    for _ in range(3):
        windows.fall_behind()
        windows.calm_until_up()
    for _ in range(100):
        windows.pass_one()
    windows.fall_behind()
    assert windows.calm_until_up() == CALM_WINDOWS


def test_a_window_in_which_hardly_anything_was_due_says_nothing() -> None:
    windows = Windows()
    windows.now_s += WINDOW_S
    windows.ladder.note_pictures(3, 3)
    assert not windows.ladder.advance(windows.now_s)
    assert windows.ladder.level == "none"
