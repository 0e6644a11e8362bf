"""Make the bundled series, ``numba_lstm/datasets/seattle_weather.csv.xz``.

It is the file of that name of the PyPI package ``vega-datasets`` 0.9.0, unchanged. The package says
of it that it is drawn from public-domain NOAA data; the package itself is under the MIT licence.

    python scripts/make_seattle_weather.py                 # downloads the wheel with pip
    python scripts/make_seattle_weather.py --wheel FILE    # or takes a copy of it

The compressed bytes may differ between versions of liblzma; what they decompress to may not.
"""

from __future__ import annotations

import argparse
import json
import lzma
from pathlib import Path

from registry_wheel import read_members

REQUIREMENT = "vega-datasets==0.9.0"
WHEEL = "vega_datasets-0.9.0-py3-none-any.whl"
WHEEL_SHA256 = "3d7c63917be6ca9b154b565f4779a31fedce57b01b5b9d99d8a34a7608062a1d"
MEMBERS = ["vega_datasets/_data/seattle-weather.csv", "vega_datasets/dataset_info.json"]
ROWS = 1461  # of 2012 to 2015


def make_table(wheel: Path | None) -> str:
    """Return the table's text, if the package still says that it is in the public domain."""
    data, info = read_members(wheel, REQUIREMENT, WHEEL, WHEEL_SHA256, MEMBERS)
    description = json.loads(info)["seattle-weather"]["description"]
    if "public-domain" not in description:
        raise ValueError(f"expected a description that says public-domain, got {description!r}")
    text = data.decode("ascii").replace("\r\n", "\n")
    lines = text.splitlines()
    if len(lines) != ROWS + 1 or lines[0] != "date,precipitation,temp_max,temp_min,wind,weather":
        raise ValueError(f"expected {ROWS} rows and their names, got {len(lines)} lines")
    return text


def main(arguments: list[str] | None = None) -> None:
    """Write the compressed table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--wheel", type=Path, help=f"a copy of {WHEEL}; else pip downloads it")
    default = Path(__file__).parents[1] / "numba_lstm" / "datasets" / "seattle_weather.csv.xz"
    parser.add_argument("--out", type=Path, default=default)
    options = parser.parse_args(arguments)
    text = make_table(options.wheel)
    packed = lzma.compress(text.encode("ascii"), preset=9 | lzma.PRESET_EXTREME)
    options.out.write_bytes(packed)
    print(f"{options.out}: {ROWS} rows, {len(packed)} bytes compressed")


if __name__ == "__main__":
    main()
