"""A table is read by what its file is, and CSV, .npz and .ts need nothing but NumPy."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from numba_lstm.datasets import read_table

WITHOUT = """
import os, sys
sys.modules.update(dict.fromkeys(["pandas", "polars", "pyarrow", "sktime", "sklearn"]))
from numba_lstm import datasets
os.chdir(sys.argv[1])
series = datasets.read_series("t.csv", time="t", target="v")[0]
print(len(series), datasets.read_sequences("t.csv", id="v", time="t", columns=["v"]).width)
print(len(datasets.read_sequences("t.npz")), datasets.read_sequences("t.ts").classes)
print(datasets.backtest(datasets.baselines.linear(1), series, 1, folds=2).measures["mae"] < 1e-4)
try:
    datasets.read_table("t.parquet")
except ImportError as error:
    print(error)
"""


def test_the_core_install_reads_csv_npz_and_ts_and_says_what_parquet_needs(tmp_path):
    (tmp_path / "t.csv").write_text("t,v\n" + "".join(f"{t},{2 * t}\n" for t in range(20)))
    (tmp_path / "t.ts").write_text("@classLabel true a b\n@data\n1,2:a\n")
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    np.savez(tmp_path / "t.npz", x=np.zeros((3, 2, 1)))
    command = [sys.executable, "-c", WITHOUT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    counts, sequences, linear, refused = done.stdout.splitlines()
    assert (counts, sequences, linear) == ("20 1", "3 ('a', 'b')", "True")
    assert "pip install 'numba_lstm[tables]'" in refused


def test_a_table_is_given_back_as_it_is(tmp_path):
    (tmp_path / "any.txt").write_text("a\tb\n1\t2\n")
    table = read_table(tmp_path / "any.txt")
    assert read_table(table) is table and table.names == ("a", "b")
    assert read_table(str(tmp_path / "any.txt"))["b"].tolist() == [2]
