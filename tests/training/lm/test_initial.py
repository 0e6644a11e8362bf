"""A run that begins with another's weights: sizes, tokens, rows."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import numba_lstm
from numba_lstm.text import CharVocabulary, WordVocabulary
from numba_lstm.training.lm.config import ConfigError, merge
from numba_lstm.training.lm.data import extended
from numba_lstm.training.lm.initial import merge_with_init
from numba_lstm.training.runs import session
from numba_lstm.training.runs.checkpoint import RunError

TEXT = "so shaken as we are, so wan with care,\nfind we a time.\n" * 3
NEW = "Zounds! the quick brown fox jumps over a lazy dog.\n" * 4
OPTIONS = {"hidden": 8, "embedding": 6, "batch": 2, "seq_len": 5, "steps": 4}


@pytest.fixture(params=[{}, {"cell": "gru", "layers": 2}, {"embedding": 8, "tie_weights": True}])
def options(request):
    return request.param


@pytest.fixture
def initial(tmp_path, options):
    (tmp_path / "old.txt").write_text(TEXT)
    (tmp_path / "new.txt").write_text(NEW)
    return begin(tmp_path, "old", **{**OPTIONS, **options})


def begin(tmp_path, name, **options):
    config = merge_with_init(("", {"data": str(tmp_path / f"{name}.txt"), **options}))
    trainer, run = session.start(config, tmp_path / name)
    trainer.run(run)
    return run.path


def test_old_tokens_keep_their_rows_and_new_ones_get_fresh_ones(tmp_path, initial):
    old = numba_lstm.load(initial)
    config = merge_with_init(
        ("", {"data": str(tmp_path / "new.txt"), "init": str(initial), "batch": 2, "seq_len": 5})
    )
    assert (config.hidden, config.cell) == (8, old.config.cell)
    trainer, run = session.start(config, tmp_path / "new")
    vocabulary = trainer.task.data.vocabulary
    assert vocabulary.tokens[: len(old.vocabulary)] == old.vocabulary.tokens
    assert set(vocabulary.tokens) == set(TEXT) | set(NEW)
    values, before = trainer.model.state_dict(), old.model.state_dict()
    for name, array in before.items():
        here = values[name]
        if name.startswith(("embedding", "decoder")):
            here, fresh = here[: len(old.vocabulary)], here[len(old.vocabulary) :]
            assert len(fresh) == len(vocabulary) - len(old.vocabulary) > 0
            assert fresh.all() and len(np.unique(fresh)) == fresh.size
        assert np.array_equal(here, array), name
    tied = trainer.model.decoder.weight is trainer.model.embedding.weight
    assert tied == config.tie_weights
    # What it says of the old run's tokens is what the old run said.
    tokens = old.vocabulary.encode("so wan")[:, None]
    logits, _ = trainer.model.eval()(tokens)
    expected, _ = old.model(tokens)
    np.testing.assert_allclose(logits[..., : len(old.vocabulary)], expected, rtol=1e-5, atol=1e-6)
    assert run.config() == trainer.config


@pytest.mark.parametrize("options", [{}])
def test_rows_follow_their_tokens_where_a_token_for_the_unknown_comes_first(tmp_path, initial):
    old = numba_lstm.load(initial)
    layer = {"data": str(tmp_path / "new.txt"), "unknown": "token", "batch": 2, "seq_len": 5}
    config = merge_with_init(("", {**layer, "init": str(initial)}))
    trainer, _ = session.start(config, tmp_path / "new")
    vocabulary, model = trainer.task.data.vocabulary, trainer.model
    assert vocabulary.unknown_id == 0
    for token in "aZ":
        row = model.decoder.weight.numpy()[vocabulary.encode(token)[0]]
        known = token in old.vocabulary.tokens
        rows = old.model.decoder.weight.numpy()
        assert [bool((row == other).all()) for other in rows] == [
            known and other == token for other in old.vocabulary.tokens
        ]


@pytest.mark.parametrize("options", [{}])
def test_a_run_begun_so_trains_resumes_and_may_be_begun_from_again(tmp_path, initial):
    path = begin(tmp_path, "new", init=str(initial), steps=3, batch=2, seq_len=5)
    trainer, run = session.resume(path, {"steps": 6})
    trainer.run(run)
    loaded = numba_lstm.load(path)
    assert len(loaded.vocabulary) == len(set(TEXT) | set(NEW))
    (tmp_path / "third.txt").write_text(TEXT + "0123456789")
    third = begin(tmp_path, "third", init=str(path), steps=1, batch=2, seq_len=5)
    assert numba_lstm.load(third).vocabulary.tokens[-10:] == tuple("0123456789")


@pytest.mark.parametrize("options", [{}])
def test_where_the_initial_run_is_gone_its_heir_still_resumes(tmp_path, initial):
    path = begin(tmp_path, "new", init=str(initial), steps=3, batch=2, seq_len=5)
    shutil.rmtree(initial)
    trainer, run = session.resume(path, {"steps": 6})
    trainer.run(run)
    assert trainer.counters.step == 6
    with pytest.raises(RunError, match="old: no such folder"):
        begin(tmp_path, "new", init=str(initial))


@pytest.mark.parametrize("options", [{}])
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"hidden": 9}, "hidden: expected 8, as of the run whose weights .*, got 9"),
        ({"embedding": 9}, "embedding: expected 6"),
        ({"layers": 2}, "layers: expected 1"),
        ({"cell": "rnn"}, "cell: expected lstm, .* got rnn"),
        ({"level": "word"}, "level: expected char, .* got word"),
        ({"tie_weights": True}, "tie_weights: expected"),
    ],
)
def test_other_sizes_are_refused_by_name(tmp_path, initial, changed, words):
    layer = {"data": str(tmp_path / "new.txt"), "init": str(initial), **changed}
    with pytest.raises(ConfigError, match=words):
        merge_with_init(("", layer))
    if "tie_weights" not in changed:
        with pytest.raises(ConfigError, match=words):
            session.start(merge(("", {**OPTIONS, **layer})), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("options", [{}])
def test_later_layers_may_name_another_initial_run_and_another_dtype(tmp_path, initial):
    layers = ("f.toml", {"init": "absent"}), ("", {"init": str(initial), "dtype": "float64"})
    config = merge_with_init(*layers)
    assert (config.init, config.dtype, config.hidden) == (str(initial), "float64", 8)
    with pytest.raises(RunError, match="absent: no such folder"):
        merge_with_init(*reversed(layers))


def test_without_an_initial_run_options_are_merged_as_ever():
    layers = ("f.toml", {"hidden": 7}), ("", {"steps": 3})
    assert merge_with_init(*layers) == merge(*layers)


def test_a_vocabulary_is_extended_behind_its_end():
    old, new = CharVocabulary.build("bead"), CharVocabulary.build("face")
    assert extended(old, new).tokens == ("a", "b", "d", "e", "c", "f")
    assert extended(old, old) == old
    unknown = CharVocabulary.build("face", unknown=True)
    assert extended(old, unknown).tokens == ("<unk>", "a", "b", "d", "e", "c", "f")
    assert extended(unknown, new) == unknown
    words = extended(WordVocabulary.build("to be"), WordVocabulary.build("be or not"))
    assert words.tokens[4:] == ("be", "to", "not", "or")
