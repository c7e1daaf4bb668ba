"""Obfuscation: the poison is encoded, drawn with look-alike letters, or in a language that nobody speaks."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Mapping
from random import Random
from typing import ClassVar
from urllib.parse import quote

from gatling.data.mutations.operator import AttackKind, Goals, Mutant, mutant
from gatling.data.mutations.poison import act, openings, plant, readings
from gatling.data.mutations.worded import around, worded
from gatling.data.run import Run
from gatling.data.wording import word

_LOOKALIKE = str.maketrans("aeopcxi", "\u0430\u0435\u043e\u0440\u0441\u0445\u0456")
_LEET = str.maketrans("aeiost", "431057")


def _lookalikes(text: str, rng: Random) -> str:
    """Cyrillic letters in some of the words."""
    return " ".join(
        w.translate(_LOOKALIKE) if rng.random() < 0.4 and "@" not in w else w for w in text.split(" ")
    )


def _invisible(text: str, rng: Random) -> str:
    """Zero-width characters inside words."""
    gap = rng.choice("\u200b\u200c\u2060\u00ad")
    return "".join(c + gap if c.isalpha() and rng.random() < 0.15 else c for c in text)


def _leet(text: str, rng: Random) -> str:
    """Digits for letters in words that hold no value."""
    plain = [w.isalpha() and rng.random() < 0.4 for w in text.split(" ")]
    return " ".join(w.translate(_LEET) if p else w for w, p in zip(text.split(" "), plain, strict=True))


def _shouted(text: str, rng: Random) -> str:
    """Letters set apart in the plain words."""
    return " ".join(
        " ".join(w) if w.isalpha() and len(w) > 3 and rng.random() < 0.25 else w for w in text.split(" ")
    )


DISGUISES: dict[str, Callable[[str, Random], str]] = {
    "base64": lambda text, rng: base64.b64encode(text.encode()).decode(),
    "percent": lambda text, rng: quote(text),
    "entities": lambda text, rng: "".join(
        f"&#{ord(c)};" if rng.random() < 0.6 else html.escape(c) for c in text
    ),
    "lookalikes": _lookalikes,
    "invisible": _invisible,
    "leet": _leet,
    "spaced": _shouted,
}


class Obfuscation:
    """See the module's docstring."""

    name = "obfuscation"
    kind: ClassVar[AttackKind] = "hijacked"
    raises: ClassVar[Mapping[str, float]] = {"hierarchy": 8.0, "provenance": 6.0}

    def apply(self, run: Run, goals: Goals, rng: Random) -> Mutant | None:
        """The disguise covers the whole text; the call is made in plain values."""
        places = readings(run)
        goal = goals.goal() if places else None
        if goal is None:
            return None
        if run.setting.language != "en" and not goal.whole and rng.random() < 0.25:
            text = word(rng, "en", [goal.english], around(run, rng, "en"))
            disguised, disguise = text.text, "english"
        else:
            text = worded(run, [goal], rng)
            disguise = rng.choice(list(DISGUISES))
            disguised = DISGUISES[disguise](text.text, rng)
        at = rng.choice(places)
        resisted = plant(run, at, disguised, rng)
        followed, ids = act(resisted, rng.choice(openings(resisted, at)), [goal], rng)
        register = f"{text.register}/{disguise}"
        return mutant(self, followed, ids, rng, register=register, resisted=resisted, goal=goal)
