"""Prometheus figures of one server; its own registry, so that two servers don't share theirs."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
_STAGE_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5)


class Metrics:
    """Names are stable: dashboards hold on to them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.features_s = self._stage("features", "What is heard of a hop's voice")
        self.motion_s = self._stage("motion", "One hop of motion without the features")
        self.render_s = self._stage("render", "One picture")
        self.encode_s = self._stage("encode", "One picture in one codec")
        self.prepare_s = self._stage("prepare", "One portrait")
        self.connect_s = self._stage("connect", "From an offer to the connection being up")
        self.first_frame_s = self._stage("first_frame", "From an offer to the first picture sent")
        self.tick_late_s = self._stage("tick_late", "How late the pacing clock ticked")
        self.batch_frames = Histogram(
            "visavis_render_batch_frames",
            "Pictures per render call",
            buckets=(1, 2, 4, 8, 16, 32),
            registry=self.registry,
        )
        self.sessions = self._gauge("sessions", "Sessions now")
        self.loop_tasks = self._gauge("loop_tasks", "Tasks of the event loop")
        self.degradation = self._gauge(
            "degradation", "0 none, 1 no idle refinement, 2 a lower rate for all"
        )
        self.waiting_frames = self._gauge("waiting_frames", "Motion waiting to be rendered")
        self.engine_queue = self._gauge("engine_queue", "Commands the worker has not taken yet")
        self.loop_lag_s = self._gauge("loop_lag_seconds", "Lateness of the event loop, last second")
        self.motion_frames = self._counter("motion_frames", "Frames of motion committed")
        self.frames_sent = self._counter("frames_sent", "Pictures sent")
        self.frames_repeated = self._counter(
            "frames_repeated", "Pictures that a busy worker left out on purpose"
        )
        self.frames_late = self._counter("frames_late", "Pictures not there in time")
        self.engine_restarts = self._counter("engine_restarts", "Times the engine worker died")
        self.sessions_started = self._counter("sessions_started", "Sessions ever started")
        self.sessions_refused = self._counter("sessions_refused", "Sessions refused at capacity")
        self.dropped = Counter(
            "visavis_dropped",
            "What bounded queues dropped",
            ["what"],
            registry=self.registry,
        )

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        text: bytes = generate_latest(self.registry)
        return text

    def _stage(self, name: str, text: str) -> Histogram:
        return Histogram(
            f"visavis_{name}_seconds", text, buckets=_STAGE_BUCKETS, registry=self.registry
        )

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"visavis_{name}", text, registry=self.registry)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"visavis_{name}", text, registry=self.registry)
