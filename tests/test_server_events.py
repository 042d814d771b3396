from server.sessions.events import QUEUED_EVENTS, EventHub, Pong, StateChanged, as_json


def test_events_become_json_with_their_type() -> None:
    assert as_json(StateChanged("idle")) == {"type": "state", "state": "idle"}
    assert as_json(Pong()) == {"type": "pong"}


async def test_every_listener_hears_everything_from_its_start_on() -> None:
    hub = EventHub()
    first = hub.listen()
    hub.publish(StateChanged("speaking"))
    second = hub.listen()
    hub.publish(StateChanged("idle"))
    assert first.waiting() == [StateChanged("speaking"), StateChanged("idle")]
    assert second.waiting() == [StateChanged("idle")]
    hub.leave(first)
    hub.publish(Pong())
    assert first.waiting() == []


async def test_a_slow_listener_is_told_once_and_hears_no_more() -> None:
    hub = EventHub()
    slow, quick = hub.listen(), hub.listen()
    for _ in range(QUEUED_EVENTS + 5):
        hub.publish(Pong())
        quick.waiting()
    assert await slow.next() is None
    hub.publish(Pong())
    assert slow.waiting() == []
    assert quick.waiting() == [Pong()]
