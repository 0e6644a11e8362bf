"""Sequences are split by class, scaled by what trains, and read again with a run's columns."""

from __future__ import annotations

import numpy as np
import pytest
from classify_tool import sequences, write_csv

from numba_lstm.training.classify.config import ClassifyConfig
from numba_lstm.training.classify.data import load_sequences, read_part
from numba_lstm.training.runs.options import ConfigError, merge_options
from numba_lstm.training.runs.table_options import listed

TABLE = {"id": "series", "time": "when", "label": "kind"}


def config(path, **options):
    return merge_options(ClassifyConfig, ("", {"data": str(path), **TABLE, **options}))


@pytest.fixture
def path(tmp_path):
    return write_csv(tmp_path / "train.csv")


def test_each_part_has_its_share_of_each_class_and_no_sequence_twice(path):
    data = load_sequences(config(path, test_fraction=0.2, valid_fraction=0.25))
    sizes = {name: getattr(data, name).labels for name in ("train", "valid", "test")}
    assert {name: np.bincount(labels).tolist() for name, labels in sizes.items()} == {
        "train": [12, 12, 12],
        "valid": [4, 4, 4],
        "test": [4, 4, 4],
    }
    ids = [*data.train.ids, *data.valid.ids, *data.test.ids]
    assert sorted(ids) == sorted(f"s{k}" for k in range(60))
    assert data.meaning.classes == ("falls", "level", "rises")
    assert data.meaning.columns == ("up", "down")


def test_scaling_is_fitted_on_the_training_part_only(path):
    data = load_sequences(config(path, test_fraction=0.2))
    steps = np.concatenate(data.train.x).astype(np.float64)
    np.testing.assert_allclose(steps.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(steps.std(axis=0), 1.0, atol=1e-6)
    assert abs(np.concatenate(data.test.x)[:, 0].mean()) > 1e-3
    x = sequences()[0]
    own = np.concatenate([x[int(name[1:])] for name in data.train.ids])
    np.testing.assert_allclose(data.meaning.mean, own.mean(axis=0))


def test_the_seed_decides_the_parts(path):
    one, two = (load_sequences(config(path, seed=3)) for _ in range(2))
    assert one.digest() == two.digest()
    assert one.digest() != load_sequences(config(path, seed=4)).digest()


def test_a_test_file_is_another_part(path, tmp_path):
    other = write_csv(tmp_path / "test.csv", 9, seed=1)
    data = load_sequences(config(path, test=str(other)))
    assert (len(data.test), len(data.train) + len(data.valid)) == (9, 60)


def test_nothing_is_held_back_where_nothing_is_asked_for(path):
    data = load_sequences(config(path, valid_fraction=0.0))
    assert (len(data.train), data.valid, data.test) == (60, None, None)
    assert data.valid_digest() == ""


def test_a_file_to_predict_needs_no_labels_and_its_columns_are_found_by_name(path, tmp_path):
    options = config(path)
    meaning = load_sequences(options).meaning
    with_labels = read_part(str(path), options, meaning, "input", labelled=False)
    bare = write_csv(tmp_path / "bare.csv", labelled=False)
    without = read_part(str(bare), options, meaning, "input", labelled=False)
    assert with_labels.labels is None and without.labels is None
    assert all(map(np.array_equal, with_labels.x, without.x))
    other = write_csv(tmp_path / "other.csv", columns=("up", "side"))
    with pytest.raises(ValueError, match="down"):
        read_part(str(other), options, meaning, "input")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"data": None}, "data: expected a file of sequences"),
        (
            {"label": None, "columns": None},
            r"label: .*--label COLUMN.* when, up, down, kind",
        ),
        ({"label": "kid"}, "no column 'kid'; there are 'series', 'when'"),
        ({"valid_fraction": 0.001}, "valid_fraction: .*leaves a part empty"),
        ({"test_fraction": 0.001}, "test_fraction: .*leaves a part empty"),
        ({"id": "nobody"}, "nobody"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(path, options, words):
    options = {k: v for k, v in options.items() if k != "columns"}
    merged = {"data": str(path), **TABLE, **options}
    given = {name: value for name, value in merged.items() if value is not None}
    with pytest.raises(ValueError, match=words):
        load_sequences(merge_options(ClassifyConfig, ("", given)))


def test_a_label_that_training_has_not_is_refused(path, tmp_path):
    text = write_csv(tmp_path / "test.csv", 6).read_text().replace("rises", "soars")
    (tmp_path / "test.csv").write_text(text)
    with pytest.raises(ConfigError, match=r"test: .*test\.csv: expected labels .*got soars"):
        load_sequences(config(path, test=str(tmp_path / "test.csv")))


def test_one_class_is_none_to_tell(path):
    text = path.read_text().replace("rises", "level").replace("falls", "level")
    path.write_text(text)
    with pytest.raises(ConfigError, match="expected at least two classes, got only level"):
        load_sequences(config(path))


def test_a_missing_number_is_told_by_sequence_step_and_column(path):
    lines = path.read_text().splitlines()
    cells = lines[3].split(",")
    cells[3] = ""
    lines[3] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ConfigError, match="got none in down at step 3 of sequence s0"):
        load_sequences(config(path))


def test_the_japanese_vowels_have_their_own_test_part(monkeypatch):
    from numba_lstm import datasets
    from numba_lstm.training.classify.data import BUNDLED

    x, labels = sequences(12)
    both = datasets.Sequences(x, labels)
    monkeypatch.setattr(datasets, "load_japanese_vowels", lambda: (both, both.take(slice(6))))
    data = load_sequences(
        merge_options(ClassifyConfig, ("", {"data": BUNDLED, "valid_fraction": 0}))
    )
    assert (len(data.train), data.valid, len(data.test)) == (12, None, 6)

    def absent():
        raise ImportError("pip install 'numba_lstm[timeseries]'")

    monkeypatch.setattr(datasets, "load_japanese_vowels", absent)
    with pytest.raises(ConfigError, match=r"data: pip install 'numba_lstm\[timeseries\]'"):
        load_sequences(merge_options(ClassifyConfig, ("", {"data": BUNDLED})))


def write_npz(path, count, **more):
    x, labels = sequences(count)
    joined, lengths = np.concatenate(x), [len(one) for one in x]
    np.savez(path, x=joined, lengths=lengths, y=labels, names=["up", "down"], **more)
    return str(path)


def test_a_table_meets_an_npz(path, tmp_path):
    other = write_npz(tmp_path / "other.npz", 12)
    options = config(path, test=other)
    data = load_sequences(options)
    assert len(data.test) == 12
    assert len(read_part(other, options, data.meaning, "data")) == 12
    plain = merge_options(ClassifyConfig, ("", {"data": other}))
    meaning = load_sequences(plain).meaning
    found = read_part(str(path), plain, meaning, "data", given=TABLE)
    assert len(found) == 60
    with pytest.raises(ValueError, match=r"id: .*expected the column that tells the sequences"):
        read_part(str(path), plain, meaning, "data")
    with pytest.raises(ConfigError, match=r"id: expected for a table only, got .*other\.npz"):
        read_part(other, plain, meaning, "data", given={"id": "series"})


def test_what_a_table_is_told_is_refused_where_there_is_none(tmp_path):
    file = write_npz(tmp_path / "d.npz", 12)
    for name, value in (("id", "series"), ("decimal", ","), ("dayfirst", False)):
        with pytest.raises(ConfigError, match=rf"^{name}: expected for a table only, got .*d\.npz"):
            load_sequences(merge_options(ClassifyConfig, ("", {"data": file, name: value})))


def test_a_table_is_read_as_the_options_say_and_what_is_inferred_is_told(tmp_path):
    rows = [f"s{k};0{step}/02/2021;{k + step},{step}25;{'ab'[k % 2]}é" for k in range(8)
            for step in (2, 1)]  # fmt: skip
    file = tmp_path / "d.csv"
    file.write_text("\n".join(["series;when;x,y;kind", *rows]) + "\n", encoding="latin-1")
    about = {"encoding": "latin-1", "delimiter": ";", "decimal": ",", "dayfirst": True}
    with pytest.raises(ValueError, match=r"d\.csv"):
        load_sequences(config(file))
    data = load_sequences(config(file, valid_fraction=0.0, scale="none", **about))
    assert data.train.x[0].tolist() == np.float32([[1.125], [2.225]]).tolist()
    assert data.meaning.classes == ("aé", "bé") and data.meaning.columns == ("x,y",)
    assert f"{file}: column 'when': day first" in data.notes
    assert f"{file}: separated by ';'" in data.notes and data.train.notes == data.notes[:-1]
    for name in ("encoding", "delimiter", "dayfirst"):
        less = {key: value for key, value in about.items() if key != name}
        with pytest.raises(ValueError, match=name):
            load_sequences(config(file, **less))


def test_numbers_that_cannot_be_computed_with_are_refused_with_their_file(path, tmp_path):
    meaning = load_sequences(config(path)).meaning
    huge = tmp_path / "huge.csv"
    lines = path.read_text().splitlines()
    cells = lines[3].split(",")
    cells[3] = "1e300"
    huge.write_text("\n".join([*lines[:3], ",".join(cells), *lines[4:]]) + "\n")
    words = r"data: .*huge\.csv: column 1 has numbers too large to scale, .* up to 1e\+300 \(the "
    with pytest.raises(ConfigError, match=words + "columns are up, down"):
        load_sequences(config(huge, valid_fraction=0.0))
    words = r"huge\.csv: expected numbers that fit in float32, got 1e\+300 in down at step 3 of se"
    with pytest.raises(ConfigError, match=words):
        load_sequences(config(huge, valid_fraction=0.0, scale="none"))
    with pytest.raises(ConfigError, match=words):
        read_part(str(huge), config(path), meaning, "input")
    x = np.ones((4, 3, 1))
    x[1, 2] = np.inf
    np.savez(tmp_path / "inf.npz", x=x, y=[0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"inf\.npz: x\[1\]: expected finite numbers or NaN"):
        load_sequences(merge_options(ClassifyConfig, ("", {"data": str(tmp_path / "inf.npz")})))


def test_the_columns_that_are_features_are_told(path, tmp_path):
    """Without ``time`` its column is one of them, which nobody may have meant."""
    options = {"data": str(path), **TABLE}
    read = load_sequences(merge_options(ClassifyConfig, ("", options)))
    assert f"{path}: the features are up, down" in read.notes
    del options["time"]
    read = load_sequences(merge_options(ClassifyConfig, ("", options)))
    assert f"{path}: the features are when, up, down" in read.notes
    assert listed([str(n) for n in range(25)]).endswith(", 18, 19 and 5 more")
