"""How many threads linear algebra takes while something is fitted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

_FEW = 4
"""Cores up to which threads cost more than they bring."""


@contextmanager
def calm_threads() -> Iterator[None]:
    """Keep linear algebra to one thread on a machine of few cores.

    The threads of OpenBLAS spin while they wait, and numpy and scipy each bring a pool of them. Where cores are few
    they take the time of the one that works: a mixture on 100,000 pairs took 72 s with two threads on two cores, and
    14 s with one. Machines with more cores keep their threads.
    """
    if (os.cpu_count() or 1) > _FEW:
        yield
        return
    with threadpool_limits(limits=1, user_api="blas"):
        yield
