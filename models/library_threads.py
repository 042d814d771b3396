"""Thread pools of libraries: sessions share the cores, and every library's pool wants them all."""

import sys


def limit_library_threads(threads: int) -> None:
    """At most ``threads`` for BLAS, OpenCV and, once it is imported, torch, in this process.

    NumPy's OpenBLAS is the one to fear: its helper spins between small products, and costs a
    whole core while nothing is faster for it.
    """
    import cv2
    import threadpoolctl

    cv2.setNumThreads(threads)
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(threads)
    threadpoolctl.threadpool_limits(threads)
