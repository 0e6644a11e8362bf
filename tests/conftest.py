"""What all tests share."""

from __future__ import annotations

import gc
import os
import signal
import sys
import zlib
from collections.abc import Generator, Iterator

# Threads that wait for work spin, and take the cores from the other tests. These are read when the
# libraries are loaded, and processes that tests start inherit them.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy's and SciPy's: linear fits took 25 times
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # torch's

import numpy as np
import pytest

# Else Open MPI starts nothing for root, who alone is there in many a container, and no more ranks
# than there are cores. MPICH reads none of these.
for name in "OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM":
    os.environ.setdefault(name, "1")
os.environ.setdefault("OMPI_MCA_rmaps_base_oversubscribe", "1")  # Open MPI 4
os.environ.setdefault("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe")  # 5

# Where bytecode is not kept, each of the hundreds of processes that tests start compiles the
# package's sources, for a third of a second, and each worker those of the tests, for six.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell starts what runs in its background deaf to Ctrl-C, and processes of tests would be, too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test depends on what was measured, and none writes plans into the user's folder.
os.environ["NUMBA_LSTM_TUNE"] = "0"


WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator:
    """Every other worker begins with the last file.

    Without bytecode a file takes long, and so each finds half of them done by the other.
    """
    report = yield
    if isinstance(collector, pytest.Directory) and WORKER[2:] and int(WORKER[2:]) % 2:
        report.result.reverse()
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if WORKER:  # all workers must have one order
        items.sort(key=lambda item: item.path.parts)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator:
    """Look for garbage later, less often, and not among what stays to the end.

    That took a sixth of the time of collecting, and of compiling a twentieth.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 10, 20)
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def closed_terminals_are_heard() -> None:
    """Of tests that run under nohup, too; the tests themselves go on, as nohup has it.

    Processes that they start do not inherit a handler, as they do inherit that nothing is heard.
    """
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers that depend on the test's name only, not on which other tests run."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture
def global_random_state_stays() -> Iterator[None]:
    """Fail if the test draws from NumPy's global generator, or seeds it."""
    before = np.random.get_state()  # noqa: NPY002
    yield
    after = np.random.get_state()  # noqa: NPY002
    assert before[2] == after[2] and np.array_equal(before[1], after[1])
