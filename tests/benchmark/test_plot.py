"""The picture: every comparison a bar, its colour the verdict."""

from __future__ import annotations

import pytest
from fake_bench import result

from numba_lstm.benchmark.cases import flops, traffic

plot = pytest.importorskip("numba_lstm.benchmark.plot")
colors = pytest.importorskip("matplotlib.colors")


def test_each_comparison_is_a_bar_from_1_to_its_ratio_in_its_verdict_s_colour():
    _, axis = plot.draw(result()).axes
    bars = {label.get_text(): bar for label, bar in zip(axis.get_yticklabels(), axis.patches)}
    assert len(bars) == 7
    ahead = bars["torch  infer  tiny-2x1x1x1"]
    behind = bars["onnxruntime  infer  tiny-2x1x1x1"]
    assert (ahead.get_x(), ahead.get_width()) == (1.0, 0.5)
    assert (behind.get_x() + behind.get_width(), behind.get_width()) == (0.5, -0.5)
    assert colors.same_color(ahead.get_facecolor(), "tab:green")
    assert colors.same_color(behind.get_facecolor(), "tab:red")
    written = [text.get_text() for text in axis.texts]
    assert "1.50" in written and "0.50 behind" in written


def test_the_roofline_holds_each_case_at_its_intensity():
    from fake_bench import TINY

    axis, _ = plot.draw(result()).axes
    ((x, y),) = axis.collections[0].get_offsets()
    assert x == pytest.approx(flops(TINY, "infer") / traffic(TINY, "infer"))
    assert y == pytest.approx(flops(TINY, "infer") / 2.0 / 1e6)
    roof = axis.lines[0].get_ydata()
    assert max(roof) == 100.0 and min(roof) == pytest.approx(0.25 * 20.0)


def test_errors_leave_their_bars_out_and_nothing_at_all_is_still_a_picture():
    _, axis = plot.draw(result(wrong="torch")).axes
    assert {label.get_text().split()[0] for label in axis.get_yticklabels()} == {"torch"}
    assert plot.picture(result() | {"cases": []}).startswith(b"\x89PNG")


def test_a_picture_is_of_the_kind_asked_for():
    assert plot.picture(result()).startswith(b"\x89PNG")
    assert plot.picture(result(), "svg").startswith(b"<?xml")


def test_the_title_names_the_machine_the_isa_and_the_threads():
    title = plot.draw(result())._suptitle.get_text()
    assert title == "A Fine CPU, its own instruction set (256-bit vectors), 2 threads"
    title = plot.draw(result(isa="avx2"))._suptitle.get_text()
    assert title == "A Fine CPU, held to AVX2 (256-bit vectors), 2 threads"


def test_bars_of_a_peer_that_is_held_to_nothing_have_an_asterisk():
    _, axis = plot.draw(result(isa="avx2")).axes
    labels = {label.get_text().split()[0] for label in axis.get_yticklabels()}
    assert labels == {"torch", "onnxruntime*"}
