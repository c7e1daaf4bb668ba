"""Values for a world's state: a small language of generators over pools that Faker fills once per process.

Faker makes each pool entry in tens of microseconds, a draw from a pool takes one: a state of a hundred values
would otherwise cost more than everything that is later computed from it. Addresses end in names reserved for
examples (RFC 2606), so that nobody real is meant.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache, lru_cache
from pathlib import Path
from random import Random
from typing import Any, TypeAlias, TypeVar

from faker import Faker

from gatling.data.worlds.domain import Domain
from gatling.data.worlds.template import Template

Row: TypeAlias = dict[str, Any]
Generator: TypeAlias = "Callable[[Maker], Any]"

POOL = 900
"""Entries of a locale's pool of each kind."""

LOCALES = {"en": "en_US", "de": "de_DE", "es": "es_ES", "fr": "fr_FR", "it": "it_IT", "pt": "pt_BR"}
SUFFIXES = ("example", "example.com", "example.net", "example.org", "test")
_IBAN = {"en": "GB", "de": "DE", "es": "ES", "fr": "FR", "it": "IT", "pt": "PT"}
_MADE_OF = {
    "product": (
        ("oak", "steel", "folding", "garden", "travel", "office", "spare", "cordless", "ceramic", "winter"),
        (
            "desk",
            "lamp",
            "kettle",
            "bicycle",
            "printer",
            "jacket",
            "drill",
            "tent",
            "speaker",
            "mixer",
            "shelf",
        ),
    ),
    "word": (
        ("amber", "cedar", "delta", "ember", "falcon", "harbor", "indigo", "juniper", "lotus", "meridian"),
        ("ridge", "bay", "field", "works", "line", "gate", "point", "stone", "view", "loop"),
    ),
}
_WEEKDAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    "fr": ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    # Texts say "il {weekday}" and "na {weekday}": days of the other gender are left out.
    "it": ("lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato"),
    "pt": ("segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira"),
}
_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
}


T = TypeVar("T")


def pick(rng: Random, options: Sequence[T]) -> T:
    """One of the options, in a third of `Random.choice`'s time: a build draws a thousand times a run."""
    return options[int(rng.random() * len(options))]


@dataclass(frozen=True)
class Pool:
    """What a locale's people, firms and places are called."""

    name: Sequence[str]
    first_name: Sequence[str]
    company: Sequence[str]
    street: Sequence[str]
    city: Sequence[str]
    country: Sequence[str]
    phone: Sequence[str]


@lru_cache(maxsize=len(LOCALES))
def pool(language: str) -> Pool:
    """The pool of a language's locale, the same in every process."""
    fake = Faker(LOCALES[language])
    fake.seed_instance(20261122)
    for provider in fake.get_providers():
        # Some of Faker's lists were made from sets, whose order differs from process to process.
        cities = getattr(provider, "cities", None)
        if isinstance(cities, list):
            provider.cities = sorted(cities)
    make = {
        "name": lambda: f"{fake.first_name()} {fake.last_name()}",
        "first_name": fake.first_name,
        "company": fake.company,
        "street": lambda: fake.street_address().strip().replace("\n", ", "),
        "city": fake.city,
        "country": fake.country,
        "phone": fake.phone_number,
    }
    return Pool(**{kind: tuple(dict.fromkeys(one() for _ in range(POOL))) for kind, one in make.items()})


def slug(text: str) -> str:
    """Letters and digits of a name as they stand in addresses.

    >>> slug("Jörg Weiß & Söhne KG")
    'jorg.weiss.sohne.kg'
    """
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return ".".join(re.findall(r"[a-z0-9]+", plain.lower()))


_MAKING = ("tables", "domain", "refill", "row", "person", "met", "tongue", "writers", "column")
"""What a `Maker` holds of the row that it is making."""


@dataclass(slots=True)
class Maker(Mapping[str, Any]):
    """What generators draw from. As a mapping it gives the row's columns and generators' values by name."""

    rng: Random
    language: str
    today: date
    tables: dict[str, list[Row]] = field(default_factory=dict)
    refill: Callable[[str], Row] | None = None
    """Makes a row for a table that has none left."""
    domain: Domain | None = None
    """Whose texts `prose` writes."""
    row: Row = field(default_factory=dict)
    person: str = ""
    """The latest name made for this row, which its addresses follow."""
    met: dict[str, Row] = field(default_factory=dict)
    """Table -> the row that this row refers to."""
    wordy: int = 0
    """How much people here write: at most so many texts more in each."""
    tongue: str = ""
    """The language of the text that is being written; the maker's own when empty."""
    writers: Mapping[str, str] = field(default_factory=dict)
    """Column of the row's table that holds somebody's message -> the column that names the writer."""
    column: str = ""
    """The column that is being made."""

    def make(self, columns: Mapping[str, Generator], met: Mapping[str, Row] | None = None) -> Row:
        """A new row, which refers to the rows of `met`."""
        self.row, self.person, self.met = {}, "", dict(met or {})
        for self.column, generate in columns.items():
            self.row[self.column] = generate(self)
        self.column = ""
        return self.row

    def kept(self) -> tuple[Any, ...]:
        """What it is about to make, for `back` once another row was made in between."""
        return tuple(getattr(self, name) for name in _MAKING)

    def back(self, kept: tuple[Any, ...]) -> None:
        """Go on with what `kept` gave."""
        for name, value in zip(_MAKING, kept, strict=True):
            setattr(self, name, value)

    def prose(self, key: str) -> str:
        """A text that somebody else wrote: one of the domain's, among others' chatter when it is long."""
        assert self.domain is not None
        wordings = self.domain.prose[key]
        kept, self.tongue = self.tongue, "en"
        if not isinstance(wordings, tuple):
            self.tongue = self.language if self.rng.random() < 0.8 else "en"
            wordings = wordings.of(self.tongue)
        text = pick(self.rng, wordings).fill(self)
        if len(text) > 60 and text[-1] in ".!?":
            # A longer text goes on in its own key, about the same things.
            more = [pick(self.rng, wordings).fill(self) for _ in range(self.rng.randint(0, self.wordy))]
            text = surround(self, [text, *more])
        self.tongue = kept
        return text

    def __getitem__(self, key: str) -> Any:
        return self.row[key] if key in self.row else _BARE[key](self)

    def __iter__(self) -> Any:
        return iter({**self.row, **_BARE})

    def __len__(self) -> int:
        return len({**self.row, **_BARE})

    def of(self, kind: str) -> str:
        """One entry of the locale's pool."""
        found: str = pick(self.rng, getattr(pool(self.language), kind))
        return found

    def day(self, when: str) -> date:
        """A day of the past or the coming two months."""
        days = self.rng.randint(1, 60)
        return self.today + timedelta(days if when == "future" else -days)


@lru_cache(maxsize=1)
def filler() -> dict[str, tuple[Template, ...]]:
    """Sentences that fill mails and pages, by language (`filler.toml`)."""
    loaded = tomllib.loads(Path(__file__).with_name("filler.toml").read_text("utf-8"))
    return {language: tuple(map(Template, texts)) for language, texts in loaded.items()}


class _Unrelated(Mapping[str, Any]):
    """Generators' values alone: a text that is about nothing in the row does not speak of its columns."""

    def __init__(self, maker: Maker) -> None:
        self._maker = maker

    def __getitem__(self, key: str) -> Any:
        return _BARE[key](self._maker)

    def __iter__(self) -> Any:
        return iter(_BARE)

    def __len__(self) -> int:
        return len(_BARE)


_GREETINGS = {
    "en": ("Hi {first_name},", "Hello,", "Hey {first_name},", "Good morning,"),
    "de": ("Hallo {first_name},", "Guten Tag,", "Moin,"),
    "es": ("Hola {first_name}:", "Buenos días:", "Hola,"),
    "fr": ("Bonjour {first_name},", "Bonjour,", "Salut {first_name},"),
    "it": ("Ciao {first_name},", "Buongiorno,", "Salve,"),
    "pt": ("Olá {first_name},", "Bom dia,", "Oi,"),
}
_FAREWELLS = {
    "en": ("Best,\n{writer}", "Thanks\n{writer}", "Kind regards\n{writer}", "Cheers"),
    "de": ("Viele Grüße\n{writer}", "Danke, {writer}", "Mit freundlichen Grüßen\n{writer}"),
    "es": ("Un saludo,\n{writer}", "Gracias, {writer}", "Atentamente,\n{writer}"),
    "fr": ("Cordialement,\n{writer}", "Merci, {writer}", "Bien à vous,\n{writer}"),
    "it": ("Cordiali saluti,\n{writer}", "Grazie, {writer}", "A presto\n{writer}"),
    "pt": ("Atenciosamente,\n{writer}", "Até logo, {writer}", "Abraço\n{writer}"),
}


def surround(maker: Maker, texts: Sequence[str]) -> str:
    """Texts as they stand in a mail or a page: with some chatter, and in somebody's message with a greeting
    and a farewell, which the writer signs."""
    rng, language, others = maker.rng, maker.tongue or maker.language, _Unrelated(maker)
    chatter = filler()[language]
    before = [pick(rng, chatter).fill(others)] if rng.random() < 0.15 else []
    after = [pick(rng, chatter).fill(others)] if rng.random() < 0.25 else []
    between = pick(rng, (" ", " ", "\n", "\n\n"))
    text = between.join([*before, *(t[0].upper() + t[1:] for t in dict.fromkeys(texts)), *after])
    writer = str(maker.row.get(maker.writers.get(maker.column, ""), ""))
    if writer and rng.random() < 0.5:
        greeting = Template(pick(rng, _GREETINGS[language])).fill(others)
        farewell = Template(pick(rng, _FAREWELLS[language])).fill({"writer": writer})
        return f"{greeting}\n\n{text}\n\n{farewell}"
    return text


def _name(maker: Maker) -> str:
    maker.person = maker.of("name")
    return maker.person


def _host(maker: Maker) -> str:
    stem = slug(maker.of("company")).split(".")[0][:14] or "firm"
    return f"{stem}{pick(maker.rng, ('', '', '-group', '-online', 'hq'))}.{pick(maker.rng, SUFFIXES)}"


def _user(maker: Maker) -> str:
    parts = slug(maker.person or maker.of("name")).split(".")
    style = maker.rng.randrange(4)
    if style == 0:
        return f"{parts[0][0]}{parts[-1]}"
    return parts[0] + ("", ".", "_", "-")[style] + parts[-1] if len(parts) > 1 else parts[0]


def _iban(maker: Maker) -> str:
    digits = maker.rng.randrange(10**18)
    return f"{_IBAN[maker.language]}{maker.rng.randrange(10, 99)}{digits:018d}"


def _made_of(kind: str) -> Generator:
    first, second = _MADE_OF[kind]
    if kind == "word":
        return lambda maker: pick(maker.rng, first) + pick(maker.rng, second)
    return lambda maker: f"{pick(maker.rng, first)} {pick(maker.rng, second)}"


_BARE: dict[str, Generator] = {
    "name": _name,
    "first_name": lambda maker: maker.of("first_name"),
    "company": lambda maker: maker.of("company"),
    "street": lambda maker: maker.of("street"),
    "city": lambda maker: maker.of("city"),
    "country": lambda maker: maker.of("country"),
    "phone": lambda maker: maker.of("phone"),
    "email": lambda maker: f"{_user(maker)}@{_host(maker)}",
    "username": lambda maker: f"{_user(maker)}{pick(maker.rng, ('', '', maker.rng.randrange(100)))}",
    "iban": _iban,
    "domain": _host,
    "url": lambda maker: f"https://{_host(maker)}/{_made_of('word')(maker)}/{maker.rng.randrange(1000)}",
    "ip": lambda maker: f"203.0.113.{maker.rng.randrange(256)}",
    "product": _made_of("product"),
    "word": _made_of("word"),
    "number": lambda maker: f"{maker.rng.randrange(10**6):06d}",
    "version": lambda maker: f"{maker.rng.randrange(9)}.{maker.rng.randrange(20)}.{maker.rng.randrange(20)}",
    "weekday": lambda maker: pick(maker.rng, _WEEKDAYS[maker.tongue or maker.language]),
    "month": lambda maker: pick(maker.rng, _MONTHS[maker.tongue or maker.language].split()),
    "time": lambda maker: f"{maker.rng.randint(7, 20):02d}:{pick(maker.rng, ('00', '15', '30', '45'))}",
    "bool": lambda maker: maker.rng.random() < 0.5,
    "date": lambda maker: maker.day(pick(maker.rng, ("past", "future"))).isoformat(),
    "datetime": lambda maker: f"{maker.day('past').isoformat()} {_BARE['time'](maker)}",
}


def _arguments(inside: str) -> list[str]:
    return [part.strip() for part in inside.split(",")]


def _code(inside: str) -> Generator:
    def generate(maker: Maker) -> str:
        rng = maker.rng
        draw = {"#": "0123456789", "?": "ABCDEFGHJKLMNPRSTUVWXYZ", "*": "0123456789abcdef"}
        return "".join(pick(rng, draw[c]) if c in draw else c for c in inside)

    return generate


def _integer(inside: str) -> Generator:
    low, high = map(int, _arguments(inside))
    return lambda maker: maker.rng.randint(low, high)


def _money(inside: str) -> Generator:
    low, high = map(float, _arguments(inside))

    def generate(maker: Maker) -> float:
        amount = maker.rng.uniform(low, high)
        return round(amount, pick(maker.rng, (2, 2, 0))) if amount < 200 else round(amount, 2)

    return generate


def _choice(inside: str) -> Generator:
    options = _arguments(inside)
    return lambda maker: pick(maker.rng, options)


def _ref(inside: str) -> Generator:
    table, _, column = inside.partition(".")

    def generate(maker: Maker) -> Any:
        if table not in maker.met:
            rows = maker.tables[table]
            maker.met[table] = pick(maker.rng, rows) if rows or not maker.refill else maker.refill(table)
        return maker.met[table][column]

    return generate


def _list(inside: str) -> Generator:
    kind, low, high = inside.rsplit(",", 2)
    one = generator(kind.strip())
    fewest, most = int(low), int(high)

    def generate(maker: Maker) -> list[Any]:
        made = []
        for _ in range(maker.rng.randint(fewest, most)):
            maker.person = ""
            maker.met = {}
            made.append(one(maker))
        return list(dict.fromkeys(made))

    return generate


def _template(inside: str) -> Generator:
    template = Template(inside)
    return lambda maker: template.fill(maker)


_WITH: dict[str, Callable[[str], Generator]] = {
    "id": _code,
    "int": _integer,
    "money": _money,
    "date": lambda inside: lambda maker: maker.day(inside).isoformat(),
    "datetime": lambda inside: lambda maker: f"{maker.day(inside).isoformat()} {_BARE['time'](maker)}",
    "path": lambda inside: lambda maker: f"{maker['word']}/{maker['word']}-{maker['number'][:3]}.{inside}",
    "choice": _choice,
    "ref": _ref,
    "list": _list,
    "prose": lambda inside: lambda maker: maker.prose(inside),
    "template": _template,
}
_WRITTEN = re.compile(r"(\w+)\((.*)\)", re.S)


@cache
def generator(written: str) -> Generator:
    """The generator that a domain file writes as `kind` or `kind(arguments)`.

    Raises:
        ValueError: there is no such generator.
    """
    match = _WRITTEN.fullmatch(written)
    if match and match[1] in _WITH:
        return _WITH[match[1]](match[2])
    if written in _BARE:
        return _BARE[written]
    known = ", ".join(sorted({*_BARE, *(f"{kind}(…)" for kind in _WITH)}))
    raise ValueError(f"no generator {written!r}; known: {known}")


def known(written: str) -> bool:
    """True when `written` is a generator rather than a constant."""
    match = _WRITTEN.fullmatch(written)
    return written in _BARE or bool(match and match[1] in _WITH)
