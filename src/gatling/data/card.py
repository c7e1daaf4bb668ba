"""The dataset card: a README.md that the Hub reads, with its plots, from what the shards hold.

Names come out of the data, so each is escaped for Markdown; the header is JSON, which YAML contains.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gatling.data.leakage import LIMIT, Shortcut, audit
from gatling.data.shards import Manifest, read_manifest, write_file
from gatling.data.validate import CATEGORIES, Counts, Stats, stats
from gatling.plan import JSON

ENOUGH = 200
"""Samples from which a cell of the terms' table is not empty."""

_SIZES = (("n<1K", 1_000), ("1K<n<10K", 10_000), ("10K<n<100K", 100_000), ("100K<n<1M", 1_000_000))

_LICENCES = frozenset(
    {"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "odc-by"}
)
"""Licences by the Hub's names; it knows every other as `other`."""

_NAMED = {"odc-by-1.0": "odc-by"}
"""The Hub's names of licences where they are not SPDX's."""

_COLOURS = {"benign": "#2a9d8f", "adversarial": "#d1495b", "mutated": "#e9a23b"}


def write_card(folder: Path) -> None:
    """Write README.md, energy.png and length.png beside the shards of a folder.

    Raises:
        ShardError: the manifest or a shard cannot be read.
    """
    manifest, counted = read_manifest(folder), stats(folder)
    write_file(folder / "README.md", card(manifest, counted, audit(folder)).encode())
    write_file(
        folder / "energy.png",
        _plot({"energy by construction": counted.energies, "the audit's energy": counted.opinions}, 0.5),
    )
    write_file(
        folder / "length.png",
        _plot({"calls in a plan": counted.calls, "messages in a run": counted.messages}, 1.0),
    )


def card(manifest: Manifest, stats: Stats, shortcuts: Sequence[Shortcut] = ()) -> str:
    """The card's text."""
    environment = Environment(
        loader=PackageLoader("gatling.data", ""),
        finalize=escape,
        autoescape=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    total = stats.mix.total()
    return environment.get_template("card.md.jinja").render(
        header=Markup(header(manifest, stats)),
        manifest=manifest,
        stats=stats,
        shortcuts=shortcuts,
        limit=LIMIT,
        categories=CATEGORIES,
        enough=ENOUGH,
        share=lambda count: f"{count / total:.1%}" if total else "–",
        by_size=_by_size,
        quantile=_quantile,
    )


def header(manifest: Manifest, stats: Stats) -> str:
    """The card's metadata: YAML, one field a line, each value as JSON."""
    names = {_NAMED.get(licence.lower(), licence.lower()) for _, licence in stats.sources}
    licences = sorted(names & _LICENCES) + (["other"] if names - _LICENCES or not names else [])
    used = [source for source in manifest.sources if source.used]
    fields: dict[str, JSON] = {
        "pretty_name": f"Gatling plans ({manifest.preset})",
        "license": licences[0] if len(licences) == 1 else [*licences],
        "language": [code for code in sorted(stats.languages) if re.fullmatch("[a-z]{2,3}", code)],
        "task_categories": ["text-classification"],
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "source_datasets": ["original", *dict.fromkeys(f"extended|{s.repo}" for s in used if s.repo)],
        "size_categories": [next((name for name, below in _SIZES if stats.rows < below), "1M<n<10M")],
        "tags": ["agents", "tool-use", "function-calling", "prompt-injection", "security", "synthetic"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": s, "path": f"{s}-*.parquet"} for s in manifest.splits],
            }
        ],
    }
    return "\n".join(f"{name}: {json.dumps(value)}" for name, value in fields.items())


def escape(value: object) -> object:
    r"""A text as Markdown shows it and nothing else: no markup, no HTML, no link, no second line.

    >>> print(escape("a|b <img>\nwww.c.example *x*"))
    a\|b \<img\> www\.c.example \*x\*
    """
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    shown = "".join(char if char.isprintable() else " " for char in value[:200])
    return Markup(re.sub(r"([\\`*_{}\[\]<>()#!|~&$@:]|(?<=www)\.)", r"\\\1", shown, flags=re.I))


def _by_size(counts: Counts, order: Iterable[str] = ()) -> list[tuple[Any, Any]]:
    """In the given order, and else the largest first."""
    ranked = sorted(counts, key=lambda key: (-counts[key].total(), key))
    return [(key, counts[key]) for key in [*order, *(key for key in ranked if key not in [*order])]]


def _quantile(counts: Mapping[int, Any], share: float) -> int:
    """The smallest key that at least this share of the samples does not exceed."""
    total, below = sum(c.total() for c in counts.values()), 0
    for key in sorted(counts):
        below += counts[key].total()
        if below >= share * total:
            return key
    return 0


def _plot(panels: Mapping[str, Counts], width: float) -> bytes:
    """Bars by category, as a PNG that does not tell when or by what it was drawn."""
    figure = Figure(figsize=(9.0, 3.0), dpi=120, layout="constrained")
    places: list[Axes] = list(figure.subplots(1, len(panels), squeeze=False)[0])
    for axes, (title, counts) in zip(places, panels.items(), strict=True):
        keys = sorted(counts)
        floor = [0] * len(keys)
        for category, colour in _COLOURS.items():
            heights = [counts[key][category] for key in keys]
            axes.bar(
                keys, heights, width * 0.9, floor, align="edge", color=colour, label=category, linewidth=0
            )
            floor = [low + height for low, height in zip(floor, heights, strict=True)]
        axes.set_xlabel(title)
        axes.set_ylabel("samples")
        axes.spines[["top", "right"]].set_visible(False)
    places[0].legend(frameon=False)
    image = io.BytesIO()
    figure.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()
