"""A run as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .isa import ISAS, NATIVE

__all__ = ["describe_machine", "isa_in_words", "summary", "table", "threads_in_words", "verdict"]

_COLOURS = {"ahead": "\033[32m", "behind": "\033[31m", "level": "\033[33m", "ERROR": "\033[31m"}
_RESET = "\033[0m"


def verdict(interval: Sequence[float]) -> str:
    """'ahead' or 'behind' where all of the ratio's interval is on that side of 1, else 'level'."""
    low, high = interval
    if low > 1.0:
        return "ahead"
    return "behind" if high < 1.0 else "level"


def isa_in_words(result: dict[str, Any]) -> str:
    """'held to AVX2', or 'its own instruction set'; what was recorded before there was a choice."""
    isa = ISAS.get(result.get("isa", NATIVE))
    return "its own instruction set" if isa is None else f"held to {isa.words}"


def describe_machine(result: dict[str, Any]) -> str:
    """What it was measured on, in a few lines."""
    machine, versions = result["machine"], result["versions"]
    caches = ", ".join(f"{name} {size}" for name, size in machine["caches"].items())
    loops = result["busy_loops"]
    where = [threads_in_words(result["threads"])]
    where += [isa_in_words(result)] * (result["isa"] != NATIVE)
    vectors = f"{machine['vector_bits']}-bit vectors for {machine['target_cpu']}"
    where += [f"beside {loops} busy loop{'s' * (loops != 1)}"] * bool(loops)
    return "\n".join(
        [
            f"{machine['cpu']} ({caches or 'caches unknown'})",
            f"{', '.join(where)}, {vectors}; "
            f"peak {result['peak_gflops']:.0f} GFLOP/s, reads {result['bandwidth_gbs']:.0f} GB/s",
            ", ".join(f"{name} {version}" for name, version in versions.items()),
        ]
    )


def threads_in_words(n: int) -> str:
    """'1 thread', '2 threads'."""
    return f"{n} thread{'s' * (n != 1)}"


def table(result: dict[str, Any], colour: bool = False) -> str:
    """A line for each case and kind; a ratio above 1 means that this library is ahead.

    A peer with an asterisk was not held to the run's instruction set.
    """
    peers = list(result["peer_settings"])
    header = ["case", "kind", "ours", "GFLOP/s", "of peak"]
    if result["busy_loops"]:
        header += ["quiet, 1 thread", "x quiet"]
    fixed = len(header)
    for peer in peers:
        header += [peer + "*" * (peer in result["unheld"]), "ratio", ""]
    rows = [_row(one, peers, fixed) for one in result["cases"]]
    widths = [
        max(len(row[i]) for row in [header, *rows] if i < len(row)) for i in range(len(header))
    ]
    lines = [_line(header, widths, fixed, False)]
    lines += [_line(row, widths, fixed, colour) for row in rows]
    return "\n".join(lines)


def _row(one: dict[str, Any], peers: Sequence[str], fixed: int) -> list[str]:
    """The cells of a line; `fixed` of them are before the peers'."""
    start = [one["name"], one["kind"]]
    if "error" in one:
        return [*start, "ERROR"]
    gflops, fraction = one["gflops"], one["peak_fraction"]
    row = [
        *start,
        _amount(one["ours"]),
        "" if gflops is None else f"{gflops:.4g}",
        "" if fraction is None else f"{fraction:.0%}",
    ]
    if "busy_factor" in one:
        row += [_milliseconds(one["quiet_one_thread_ms"]), f"{one['busy_factor']:.2f}"]
    row += [""] * (fixed - len(row))
    for peer in peers:
        if peer not in one["peers"]:
            row += ["", "", ""]
            continue
        interval = one["interval"][peer]
        ratio = f"{one['ratio'][peer]:.2f}x [{interval[0]:.2f}, {interval[1]:.2f}]"
        if "repeats" in one:  # each run by itself, for the noise to be seen
            ratio += " " + " ".join(f"{each['ratio'][peer]:.2f}" for each in one["repeats"])
        row += [_amount(one["peers"][peer]), ratio, verdict(interval)]
    return row


def _amount(figures: dict[str, float]) -> str:
    if "mib" in figures:
        return f"{figures['mib']:.0f} MiB"
    text = _milliseconds(figures["ms"])
    return f"{text}, p99 {_milliseconds(figures['p99_ms'])}" if "p99_ms" in figures else text


def _milliseconds(ms: float) -> str:
    if ms < 0.1:
        return f"{1e3 * ms:.1f} us"
    return f"{ms:.3g} ms" if ms < 1000.0 else f"{ms:.0f} ms"


def _line(cells: Sequence[str], widths: Sequence[int], fixed: int, colour: bool) -> str:
    """Names to the left, figures to the right."""
    parts = []
    for i, (cell, width) in enumerate(zip(cells, widths)):
        left = i < 2 or (i >= fixed and (i - fixed) % 3 > 0) or cell == "ERROR"
        text = cell.ljust(width) if left else cell.rjust(width)
        if colour and cell in _COLOURS:
            text = _COLOURS[cell] + text + _RESET
        parts.append(text)
    return "  ".join(parts).rstrip()


def summary(result: dict[str, Any]) -> str:
    """Geometric means, how many comparisons were won and lost, and every loss and error by name."""
    lines = []
    for kind, means in result["geomean"].items():
        told = ", ".join(f"{mean:.2f}x {peer}" for peer, mean in means.items())
        lines.append(f"geometric mean, {kind}: {told}")
    found: dict[str, list[str]] = {"ahead": [], "level": [], "behind": []}
    for one in result["cases"]:
        for peer, ratio in one.get("ratio", {}).items():
            if peer in result["unheld"]:
                continue
            label = f"{one['name']} {one['kind']} ({ratio:.2f}x {peer})"
            found[verdict(one["interval"][peer])].append(label)
    if any(found.values()):
        counts = ", ".join(f"{word} in {len(labels)}" for word, labels in found.items())
        lines.append(f"of {sum(map(len, found.values()))} comparisons {counts}")
    lines += [f"behind: {label}" for label in found["behind"]]
    lines += [f"level: {label}" for label in found["level"]]
    for one in result["cases"]:
        if "error" in one:
            lines.append(f"ERROR: {one['name']} {one['kind']}: {one['error']}")
    looking = [
        f"{one['name']} {one['kind']}"
        for one in result["cases"]
        if any(plan.get("state") == "searching" for plan in one.get("plans", ()))
    ]
    if looking:
        lines.append(f"timed while the best plan was still searched for: {', '.join(looking)}")
    for peer in result["unheld"]:
        lines.append(
            f"* {peer} cannot be {isa_in_words(result)}: it is measured as it is, and counts in "
            "no mean and no comparison"
        )
    lines += [f"warning: {text}" for text in result["busy"]["warnings"]]
    lines += [f"left out: {name}, {why}" for name, why in result["skipped"].items()]
    return "\n".join(lines)
