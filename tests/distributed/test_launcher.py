from __future__ import annotations

import os
import re
import socket
import subprocess
import sys

import pytest
from cli_tool import environment

from numba_lstm.distributed import launched
from numba_lstm.distributed.launcher import check_launcher, end_job, number_of


@pytest.mark.parametrize(
    "known, size",
    [
        ({}, 1),
        ({"PMI_SIZE": "4", "PMI_RANK": "1"}, 4),
        ({"OMPI_COMM_WORLD_SIZE": "8"}, 8),
        ({"MV2_COMM_WORLD_SIZE": "2"}, 2),
        ({"SLURM_NTASKS": "4"}, 1),  # of a job's batch script, which is one process
        ({"SLURM_NTASKS": "4", "PMIX_RANK": "0"}, 4),
        ({"SLURM_NTASKS": "8", "SLURM_STEP_NUM_TASKS": "2", "PMI_FD": "7"}, 2),
        ({"PMI_SIZE": "many"}, 1),
        ({"PMI_SIZE": "0"}, 1),
        ({"PMI_SIZE": "4", "NUMBA_LSTM_MPI": "0"}, 1),  # inherited from a rank of a program
        ({"PMI_SIZE": "4", "NUMBA_LSTM_MPI": " Off"}, 1),
        ({"PMI_SIZE": "4", "NUMBA_LSTM_MPI": "1"}, 4),
        ({"PMI_SIZE": "4", "NUMBA_LSTM_MPI": ""}, 4),
    ],
)
def test_the_number_of_ranks_is_what_the_launcher_says(known, size):
    assert launched(known) == size


def test_this_process_was_not_launched():
    assert launched() == 1


def test_a_launcher_of_another_mpi_than_the_library_is_found():
    words = check_launcher(1, "MPICH Version:      4.3\nMPICH built", {"OMPI_COMM_WORLD_SIZE": "4"})
    assert words.startswith("the launcher started 4 ranks, but MPICH Version:")
    assert "MPI4PY_MPIABI=openmpi" in words and "NUMBA_LSTM_MPI=0" in words
    assert check_launcher(4, "MPICH", {"PMI_SIZE": "4"}) == ""
    assert check_launcher(1, "MPICH", {}) == ""


def test_a_ranks_number_is_what_the_launcher_says():
    assert number_of({}) == number_of({"PMI_RANK": "-1"}) == 0
    assert number_of({"PMI_RANK": "3", "SLURM_PROCID": "7"}) == 3
    assert number_of({"OMPI_COMM_WORLD_RANK": "2"}) == 2


def test_only_the_launchers_own_descriptor_is_told_to_end_the_job(monkeypatch, tmp_path):
    ours, launchers = socket.socketpair()
    monkeypatch.setenv("PMI_FD", str(ours.fileno()))
    end_job(2)
    assert launchers.recv(100) == b"cmd=abort exitcode=2\n"
    with open(tmp_path / "log", "wb") as file:  # where the variable was inherited
        monkeypatch.setenv("PMI_FD", str(file.fileno()))
        end_job(2)
    assert (tmp_path / "log").read_bytes() == b""
    for wrong in (str(os.sysconf("SC_OPEN_MAX") - 1), "none", "9" * 30):
        monkeypatch.setenv("PMI_FD", wrong)
        end_job(2)


PROGRAM = """
import sys
from numba_lstm import distributed
print(distributed.launched(), [m for m in ("mpi4py", "numba", "llvmlite") if m in sys.modules])
for block in (False, True):
    if block:
        sys.modules["mpi4py"] = None  # as if it were not installed
    try:
        distributed.group_of()
    except (ImportError, distributed.DistributedError) as error:
        print(f"{type(error).__name__}: {error}")
"""


def test_the_number_is_told_without_mpi_whose_lack_is_told_with_what_to_install():
    pytest.importorskip("mpi4py")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env=environment(OMPI_COMM_WORLD_SIZE="3"),
    )
    first, other_launcher, no_mpi = done.stdout.splitlines()
    assert first == "3 []"
    words = r"DistributedError: the launcher started 3 ranks, but (MPICH|Open MPI)\b"
    assert re.match(words, other_launcher), other_launcher
    assert no_mpi.startswith("ImportError: ") and "pip install 'numba_lstm[mpi]'" in no_mpi
