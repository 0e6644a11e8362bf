"""Tables and a figure of a record of scale_model.py, as docs/scale.md shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from statistics import median
from typing import Any

from scale_cost import (
    BATCH,
    CACHED,
    NETWORKS,
    NODES,
    Compute,
    Curve,
    Scale,
    fit_allreduce,
    halving,
)

__all__ = ["SECTIONS", "compute_of", "draw", "markdown", "milliseconds", "predict", "scales"]

Record = dict[str, Any]
# Rows of each node where the batch grows with the nodes (weak scaling).
ROWS = 16
# Nodes as fast as the machine of the record, and so many times as fast: 32 such cores.
FACTORS = (1, 16)
_SHOWN = (4, 16, 64, 256, 1024)


def compute_of(told: Record) -> Compute:
    """The times that a run of step_parts.py told, in seconds."""
    figures = sorted(told["figures"], key=lambda one: one["rows"])
    return Compute(
        tuple(one["rows"] for one in figures),
        tuple(1e-3 * one["gradients"] for one in figures),
        *(1e-3 * median(one[part] for one in figures) for part in ("norm", "update")),
    )


def gamma_of(record: Record, ranks: int | None = None) -> float:
    """Seconds to add a byte's worth of numbers, by one of so many ranks; of the fewest if None."""
    of = min(record["allreduce"], key=int) if ranks is None else str(ranks)
    return 1e-9 * record["allreduce"][of]["gamma_ns"]


def curve_of(record: Record, ranks: int) -> Curve:
    """Allreduce between so many ranks of the machine, as it was measured."""
    told = record["allreduce"][str(ranks)]
    return Curve(tuple(told["sizes"]), tuple(1e-6 * us for us in told["allreduce_us"]))


def scales(record: Record, factor: float = 1.0) -> dict[tuple[str, str], Scale]:
    """{(model, network): Scale} for nodes so many times as fast as the machine of the record."""
    return {
        (name, network.name): Scale(
            compute_of(told["node"]).faster(factor),
            told["node"]["parameters"],
            network,
            gamma_of(record) / factor,
        )
        for name, told in record["steps"].items()
        for network in NETWORKS
    }


def predict(record: Record, name: str, ranks: int, rows: int) -> dict[str, float]:
    """Milliseconds of the parts of a step on ranks of one machine, one thread each.

    Allreduce is on the measured curve, as no alpha and beta fit all of it. Where there are more
    ranks than cores they take turns.
    """
    told = record["steps"][name]["node" if ranks == 1 else "rank"]
    compute = compute_of(told)
    cores = record["steps"][name]["node"]["threads"]
    turns = max(1.0, ranks / cores) if ranks > 1 else 1.0
    scale = Scale(compute.faster(1.0 / turns), told["parameters"], NETWORKS[0])
    if ranks > 1:
        scale = replace(scale, measured=curve_of(record, ranks))
    parts = {
        "gradients": scale.compute.of(-(-rows // ranks)),
        "allreduce": scale.communication(ranks),
        "norm": scale.compute.norm,
        "update": scale.compute.update,
        "step": scale.step(ranks, rows),
    }
    return {part: 1e3 * time for part, time in parts.items()}


def markdown(head: Iterable[str], lines: Iterable[Iterable[Any]]) -> str:
    head = list(head)
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def milliseconds(time: float) -> str:
    return f"{time:.3g}" if time < 100 else f"{time:.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def steps_table(record: Record) -> str:
    """Measured milliseconds of the gradients by rows, of their norm, and of the update."""
    columns = sorted(
        {f["rows"] for told in record["steps"].values() for f in told["node"]["figures"]}
    )
    head = ["model", "parameters", "threads", *(f"{n} rows" for n in columns), "norm", "update"]
    lines = []
    for name, kinds in record["steps"].items():
        for told in kinds.values():
            by_rows = {f["rows"]: milliseconds(f["gradients"]) for f in told["figures"]}
            millions = f"{told['parameters'] / 1e6:.3g} M"
            cells = [by_rows.get(n, "") for n in columns]
            compute = compute_of(told)
            rest = [milliseconds(1e3 * compute.norm), milliseconds(1e3 * compute.update)]
            lines.append([name, millions, told["threads"], *cells, *rest])
    return markdown(head, lines)


def networks_table(record: Record) -> str:
    """alpha and beta of each network, and of this machine's memory between ranks."""
    lines = [_memory(record, int(ranks)) for ranks in record["allreduce"]]
    lines += [
        [net.name, f"{1e6 * net.alpha:.3g}", f"{1e-9 / net.beta:.3g}", net.source]
        for net in NETWORKS
    ]
    return markdown(["network", "α, µs", "1/β, GB/s", "from"], lines)


def _memory(record: Record, ranks: int) -> list[str]:
    """The line of this machine's memory: what fits short messages, and what the longest take."""
    curve, gamma = curve_of(record, ranks), gamma_of(record, ranks)
    alpha, beta, worst = fit_allreduce(ranks, curve.sizes, curve.seconds, gamma)
    fitted = [size for size in curve.sizes if size <= CACHED]
    source = (
        f"fitted to Allreduce from {fitted[0]} to {fitted[-1]:,} bytes; no point is off by more "
        f"than a factor of {worst:.2g}"
    )
    if (longest := curve.sizes[-1]) > CACHED:
        times = curve.seconds[-1] / halving(ranks, longest, alpha, beta, gamma)
        source += f"; {longest:,} bytes take {times:.1f} times as long as that"
    return [f"this machine, {ranks} ranks", f"{1e6 * alpha:.3g}", f"{1e-9 / beta:.3g}", source]


def strong_table(record: Record, factor: float) -> str:
    """Efficiencies with one batch for all nodes, and where nodes stop paying."""
    head = ["model", "network", "1 node, ms", *(f"{n} nodes" for n in _SHOWN)]
    head += ["half up to", "fastest on", "faster by"]
    lines = []
    for (model, network), scale in scales(record, factor).items():
        fastest = scale.fastest()
        lines.append(
            [model, network, milliseconds(1e3 * scale.step(1, BATCH))]
            + [_percent(scale.strong(n)) for n in _SHOWN]
            + [scale.last_above_half(scale.strong), fastest]
            + [f"{scale.step(1, BATCH) / scale.step(fastest, BATCH):.0f}"]
        )
    return markdown(head, lines)


def weak_table(record: Record) -> str:
    """Efficiencies with `ROWS` rows on each node, and how many rows give 80 % on all nodes."""
    head = ["model", "network", *(f"{n} nodes" for n in _SHOWN)]
    head += [f"rows of a node for 80 % on {NODES[-1]}", f"the same, nodes {FACTORS[1]} × as fast"]
    fast = scales(record, FACTORS[1])
    lines = []
    for key, scale in scales(record).items():
        cells = [_percent(scale.weak(n, ROWS)) for n in _SHOWN]
        lines.append([*key, *cells, rows_for(scale, 0.8), rows_for(fast[key], 0.8)])
    return markdown(head, lines)


def rows_for(scale: Scale, efficiency: float, nodes: int = NODES[-1]) -> int:
    """The fewest rows of a node, a power of two, that give an efficiency on so many nodes."""
    rows = 1
    while scale.weak(nodes, rows) < efficiency and rows < 2**20:
        rows *= 2
    return rows


def ranks_table(record: Record) -> str:
    """Predicted and measured milliseconds of a step on ranks of one machine."""
    parts = ("gradients", "allreduce", "norm", "update", "step")
    head = ["model", "ranks × threads", *parts, "waiting", "measured / predicted"]
    lines = []
    for name, by_ranks in record["ranks"].items():
        for ranks, told in by_ranks.items():
            (figure,) = told["figures"]
            predicted = predict(record, name, int(ranks), figure["rows"])
            cells = [
                f"{milliseconds(predicted[part])} / {milliseconds(figure[part])}" for part in parts
            ]
            ratio = f"{figure['step'] / predicted['step']:.2f}"
            kind = f"{ranks} × {told['threads']}"
            lines.append([name, kind, *cells, milliseconds(figure["waiting"]), ratio])
    return markdown(head, lines)


SECTIONS = {
    "steps": steps_table,
    "networks": networks_table,
    "strong scaling": lambda record: strong_table(record, FACTORS[0]),
    "strong scaling, faster nodes": lambda record: strong_table(record, FACTORS[1]),
    "weak scaling": weak_table,
    "ranks": ranks_table,
}


def draw(record: Record, file: str) -> None:
    """Speed-up with one batch, above; efficiency where it grows with the nodes, below."""
    from matplotlib.figure import Figure

    models = list(record["steps"])
    figure = Figure(figsize=(4.4 * len(models), 7.5), layout="constrained")
    axes = figure.subplots(2, len(models), sharex=True, sharey="row", squeeze=False)
    colours = {net.name: f"C{k}" for k, net in enumerate(NETWORKS)}
    for factor, style in zip(FACTORS, ("-", "--")):
        told = "" if factor == 1 else f", nodes {factor} × as fast"
        for (model, network), scale in scales(record, factor).items():
            above, below = axes[:, models.index(model)]
            options = {"color": colours[network], "linestyle": style, "linewidth": 1.2}
            speedups = [n * scale.strong(n) for n in NODES]
            above.plot(NODES, speedups, label=network + told, **options)
            half = scale.last_above_half(scale.strong)
            above.plot([half], [half * scale.strong(half)], "o", color=colours[network], ms=4)
            below.plot(NODES, [100 * scale.weak(n, ROWS) for n in NODES], **options)
    for k, (model, (above, below)) in enumerate(zip(models, axes.T)):
        above.plot(NODES, NODES, color="black", linewidth=0.6)
        above.plot(NODES, [n / 2 for n in NODES], color="black", linewidth=0.6, linestyle=":")
        millions = record["steps"][model]["node"]["parameters"] / 1e6
        above.set_title(f"{model}: {millions:.3g} M parameters", fontsize=10)
        above.set_xscale("log", base=2)
        above.set_yscale("log", base=2)
        below.set_xlabel("nodes")
        below.set_ylim(0, 105)
        if k == 0:
            above.legend(fontsize=6)
            above.set_ylabel(f"speed-up, batch of {BATCH} rows for all")
            below.set_ylabel(f"efficiency in %, {ROWS} rows for each")
        for axis in (above, below):
            axis.grid(alpha=0.3)
            axis.set_xticks(NODES[::2], [str(n) for n in NODES[::2]])
        above.set_yticks(NODES[::2], [str(n) for n in NODES[::2]])
    figure.savefig(file, dpi=110)
