"""The worker's process from its start to its end."""

import gc
import multiprocessing
import os
import signal
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from threading import Thread

from models.errors import VisavisError
from models.library_threads import limit_library_threads
from server.engine.config import EngineConfig, build_engine
from server.engine.frame_ring import FrameRing
from server.engine.messages import EngineReady, StartFailed
from server.engine.warmup import warm_up
from server.engine.worker import EngineWorker

_SWITCH_INTERVAL_S = 0.001  # drawing must not wait 5 ms for the motion's thread to leave Python


@dataclass(frozen=True, slots=True)
class WorkerStart:
    """What the process is started with."""

    config: EngineConfig
    ring_name: str
    lanes: int
    warm_image: bytes  # a portrait to warm up with


def run_worker(connection: Connection, start: WorkerStart) -> None:
    """Body of the worker process: load, warm up, serve until told to stop or the server is gone."""
    belong_to_the_server()
    import torch  # noqa: F401  # before its threads are limited

    limit_library_threads(start.config.threads)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        engine = build_engine(start.config)
        info = warm_up(engine, start.config, start.warm_image)
        ring = FrameRing(start.lanes, start.ring_name)
    except VisavisError as error:
        connection.send(StartFailed(error.code, str(error)))
        return
    except Exception as error:
        connection.send(StartFailed("internal", f"{type(error).__name__}: {error}", final=False))
        raise
    # what was loaded stays: searching it for garbage again and again would hold up pictures
    gc.collect()
    gc.freeze()
    worker = EngineWorker(engine, ring, connection, start.config.batch_on(engine.device))
    try:
        worker.send(EngineReady(info))
        worker.serve()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the server is gone, and so are the sessions
    finally:
        ring.close()


def belong_to_the_server() -> None:
    """End when the server says so or is gone, not by the signals that are meant for it: Ctrl-C and
    service managers signal every process, and running sessions may need the engine to the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server = multiprocessing.parent_process()
    assert server is not None

    def leave_with_it() -> None:
        server.join()
        os._exit(0)  # whatever is being loaded or drawn is for nobody

    Thread(target=leave_with_it, daemon=True).start()
