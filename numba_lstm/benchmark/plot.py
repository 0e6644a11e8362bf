"""A run as a picture: the roofline, and the ratio to each peer."""

from __future__ import annotations

import io
from typing import Any

from .cases import Case, traffic
from .report import isa_in_words, threads_in_words, verdict

__all__ = ["draw", "picture"]

_KINDS = {"infer": ("o", "tab:blue"), "train": ("s", "tab:orange"), "step": ("D", "tab:purple")}
_VERDICTS = {"ahead": "tab:green", "level": "tab:gray", "behind": "tab:red"}


def picture(result: dict[str, Any], kind: str = "png") -> bytes:
    """The picture as a file's content; needs matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = draw(result)
    FigureCanvasAgg(figure)
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=130)
    return content.getvalue()


def draw(result: dict[str, Any]) -> Any:
    """A matplotlib figure with the roofline to the left and the ratios to the right."""
    from matplotlib.figure import Figure

    bars = _bars(result)
    figure = Figure(figsize=(15, max(5.0, 0.2 * len(bars) + 1.6)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.25))
    _draw_roofline(left, result)
    _draw_ratios(right, bars)
    machine = result["machine"]
    figure.suptitle(
        f"{machine['cpu']}, {isa_in_words(result)} ({machine['vector_bits']}-bit vectors), "
        f"{threads_in_words(result['threads'])}",
        fontsize=11,
    )
    return figure


def _intensity(one: dict[str, Any]) -> float:
    """Flops for each byte that must move."""
    sizes = {name: one[name] for name in ("name", "T", "B", "I", "H", "layers", "bidirectional")}
    more = {name: one[name] for name in ("vocab", "cell", "proj", "form")}
    case = Case(kinds=(one["kind"],), **more, **sizes)
    flops = one["gflops"] * one["ours_ms"] * 1e6
    return flops / traffic(case, one["kind"])


def _draw_roofline(axis: Any, result: dict[str, Any]) -> None:
    import numpy as np
    from matplotlib.ticker import FuncFormatter

    peak, bandwidth = result["peak_gflops"], result["bandwidth_gbs"]
    x = np.geomspace(0.25, 2048.0, 100)
    axis.plot(x, np.minimum(peak, x * bandwidth), color="black", linewidth=1.5)
    axis.text(x[-1], peak * 1.08, f"FMA peak {peak:.0f} GFLOP/s", ha="right", va="bottom")
    axis.text(0.24, 0.4 * bandwidth, f"memory {bandwidth:.0f} GB/s", ha="left", va="bottom")
    for kind, (marker, colour) in _KINDS.items():
        of_kind = [one for one in result["cases"] if one["kind"] == kind and "error" not in one]
        if not of_kind:
            continue
        places = [(_intensity(one), one["gflops"]) for one in of_kind]
        axis.scatter(
            *zip(*places), marker=marker, color=colour, label=kind, s=36, alpha=0.85, zorder=3
        )
        for place, one in zip(places, of_kind):
            if one["peak_fraction"] < 0.5:  # near the roof they would lie upon each other
                axis.annotate(
                    one["name"], place, xytext=(5, -3), textcoords="offset points", fontsize=6
                )
    axis.set_xscale("log", base=2)
    axis.set_yscale("log", base=2)
    axis.set_ylim(top=2.0 * peak)
    for ticks in (axis.xaxis, axis.yaxis):
        ticks.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_xlabel("flops for each byte that must move at least once")
    axis.set_ylabel("GFLOP/s, numba_lstm")
    axis.set_title("Roofline (small problems live in caches, above the memory's line)", fontsize=10)
    axis.grid(alpha=0.3)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(loc="lower right")


def _bars(result: dict[str, Any]) -> list[tuple[str, float, list[float]]]:
    """(label, ratio, interval) for each comparison, grouped by peer and kind."""
    found = []
    for peer in result["peer_settings"]:
        for kind in dict.fromkeys(one["kind"] for one in result["cases"]):
            for one in result["cases"]:
                if one["kind"] == kind and peer in one.get("ratio", {}):
                    mark = "*" * (peer in result["unheld"])
                    label = f"{peer}{mark}  {kind}  {one['name']}"
                    found.append((label, one["ratio"][peer], one["interval"][peer]))
    return found


def _draw_ratios(axis: Any, bars: list[tuple[str, float, list[float]]]) -> None:
    from matplotlib.patches import Patch
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for y, (_, ratio, interval) in enumerate(bars):
        word = verdict(interval)
        axis.barh(y, ratio - 1.0, left=1.0, color=_VERDICTS[word], height=0.7)
        axis.plot(interval, [y, y], color="black", linewidth=1.0)
        axis.annotate(
            f"{ratio:.2f}" + (f" {word}" if word != "ahead" else ""),
            (max(ratio, interval[1], 1.0), y),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    axis.set_yticks(range(len(bars)), [label for label, _, _ in bars], fontsize=7)
    axis.invert_yaxis()
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}x"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.axvline(1.0, color="black", linewidth=1.2)
    if bars:
        most = max(max(ratio, interval[1], 1.0) for _, ratio, interval in bars)
        least = min(min(ratio, interval[0], 1.0) for _, ratio, interval in bars)
        axis.set_xlim(least / 1.15, most * 1.5)
        axis.margins(y=0.01)
    axis.set_title("peer's time (or memory) / ours; line: 95 % interval", fontsize=10)
    axis.grid(axis="x", alpha=0.3)
    axis.legend(
        handles=[Patch(color=colour, label=word) for word, colour in _VERDICTS.items()],
        loc="lower right",
        fontsize=8,
    )
