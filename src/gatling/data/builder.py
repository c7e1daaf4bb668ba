"""Datasets by preset: sources loaded side by side, their rows staged, and samples built of them.

    GatlingDatasetBuilder("foundation").build(Path("plans"))

What decides a build's bytes is settled before the first row is loaded and kept beside it (`.build/sources`):
the commit of each source, and which sources could not be had. A build that was stopped goes on with the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from pydantic import BaseModel
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from gatling.data.adapter import ExecutionPlanAdapter
from gatling.data.build import BuildError, Standing, Stock, build
from gatling.data.hosting import Hosted
from gatling.data.hub import HFDatasetLoader, LoadError
from gatling.data.mix import DEFAULT, Shares
from gatling.data.presets import Part, Preset, presets
from gatling.data.shards import MANIFEST, Manifest, SourceRows, write_file
from gatling.data.sources import SOURCES, Source
from gatling.data.staging import CONFIDENT, SURE, Asked, Loader, Outcome, Pool, Supply, slug, stage
from gatling.plan import JSON

Missing: TypeAlias = Literal["stop", "fill", "skip"]
"""What to do without a source: stop, fill its quota as the preset states, or go on with fewer rows."""

LOGS = "logs"
"""The source of a person's own logs."""

AT_ONCE = 8
"""Sources that are loaded side by side."""

_LOGS = "logs that are not those in the folder given"
_ANEW = "name another folder, or remove this one"

TRAINING = frozenset({"benign", "adversarial", "both"})
"""Roles that may enter a training mix."""


class _Quota(BaseModel):
    """What was settled about a source."""

    rows: int | None
    """None: all there are."""
    commit: str = ""
    missing: str = ""
    """Why it cannot be had."""


class _Settled(BaseModel):
    """What was settled before rows were loaded."""

    quotas: dict[str, _Quota]
    made: int
    """Rows that worlds stand in for."""


class GatlingDatasetBuilder:
    """Builds the samples of a preset.

    Args:
        preset: the name of one of `presets()`, or one of your own.
        size: samples; by default one for each row that the preset reads.
        seed: draws rows, hosts and everything else.
        mix: percent of benign, adversarial and mutated samples.
        missing: what to do about a source that cannot be had: one of `Missing`.
        evaluation: take the preset's evaluation sources too, into the split `evaluation` and no other.
        logs: a folder of your own agents' logs, all of which are taken too.
        loader: where rows come from.
        adapter: what makes plans of conversations, and guesses of texts.
        sources: what the preset's names stand for.
        workers: processes that make samples; the bytes are the same.
        told: hears how the samples come along; the loader tells of rows.
        staged: hears of each source whose rows are all there, from the thread that loaded them.
    """

    def __init__(
        self,
        preset: str | Preset,
        *,
        size: int | None = None,
        seed: int = 0,
        mix: Shares = DEFAULT,
        missing: str = "stop",
        evaluation: bool = False,
        logs: Path | None = None,
        loader: Loader | None = None,
        adapter: ExecutionPlanAdapter | None = None,
        sources: Sequence[Source] = SOURCES,
        workers: int = 1,
        told: Callable[[Standing], None] = lambda standing: None,
        staged: Callable[[Outcome], None] = lambda outcome: None,
    ) -> None:
        self.preset = _preset(preset)
        if missing not in get_args(Missing):
            raise BuildError(f"missing {missing!a}: give one of {', '.join(get_args(Missing))}")
        self.size = size or self.preset.size
        self.seed, self.mix, self.missing, self.evaluation = seed, mix, missing, evaluation
        self._loader = loader or HFDatasetLoader()
        self._own: Mapping[str, Loader] = {} if logs is None else {LOGS: HFDatasetLoader(mirror=logs)}
        self._adapter = adapter or ExecutionPlanAdapter()
        self._workers, self._told, self._staged = workers, told, staged
        known = {source.name: source for source in sources}
        self._sources = {name: _known(known, name) for name in self._wanted()}
        for name in self.preset.rows:
            if self._sources[name].role not in TRAINING:
                raise BuildError(
                    f"preset {self.preset.name!a}: {name} is for evaluation and never part of a training "
                    "mix; list it under evaluation"
                )

    def _wanted(self) -> dict[str, int | None]:
        """Source -> rows; None: all there are."""
        whole = (*self._own, *(self.preset.evaluation if self.evaluation else ()))
        return {**self.preset.rows, **dict.fromkeys(whole)}

    def _loads(self, name: str) -> Loader:
        return self._own.get(name, self._loader)

    def build(self, out: Path) -> tuple[Manifest, Standing]:
        """Build in the folder `out`, or go on with a build that was stopped.

        Raises:
            BuildError: a source cannot be had and that should stop the build; the folder holds a build of
                other sources or logs, or one that did without a source otherwise; or as `build.build` does.
            gatling.data.shards.ShardError: a finished build is damaged.
            OSError: the folder cannot be written.
        """
        finished = (out / MANIFEST).exists()
        recipe: dict[str, JSON] = {
            "missing": self.missing,
            "evaluation": self.evaluation,
            "rows": dict(self._wanted()),
        }
        manifest, standing = build(
            out,
            self.size,
            self.seed,
            preset=self.preset.name,
            workers=self._workers,
            told=self._told,
            mix=self.mix,
            stock=self.stock if self._sources else None,
            recipe=recipe if self._sources else None,
        )
        if finished and (differing := self._differing(manifest)):
            raise BuildError(f"{out}: holds a build with {differing}: {_ANEW}")
        return manifest, standing

    def _differing(self, manifest: Manifest) -> str:
        """How a finished build differs from this one in its sources; empty where it does not."""
        built = {source.name: source for source in manifest.sources}
        if {*built} != {*self._sources}:
            return f"the sources {', '.join(built) or 'none'}, not {', '.join(self._sources) or 'none'}"
        if LOGS in built and self._other_logs(built[LOGS].commit):
            return _LOGS
        gone = [name for name, source in built.items() if source.missing]
        rows, made = self.preset.rows, sum(part.made for part in self.preset.parts)
        more = manifest.made > made or any(s.read > rows.get(n, s.read) for n, s in built.items())
        less = manifest.made < sum(part.made for part in self._filled(gone))
        match self.missing:
            case "stop" if gone:
                return f"no rows of {', '.join(gone)}, not with --missing stop"
            case "skip" if more:
                return f"others in the place of {', '.join(gone)}, not with --missing skip"
            case "fill" if less:
                return f"nothing in the place of {', '.join(gone)}, not with --missing fill"
        return ""

    def _other_logs(self, commit: str) -> bool:
        """The folder of logs holds other files than it did."""
        now = self._resolve(LOGS)
        return isinstance(now, str) and now != commit

    def _filled(self, missing: Collection[str]) -> list[Part]:
        """The preset's parts with the quota of missing sources given to others."""
        sizes = {name: source.size for name, source in self._sources.items()}
        return [part.without(missing, sizes) for part in self.preset.parts]

    def stock(self, folder: Path) -> Stock:
        """Load and stage every source in a folder, as far as that is not done.

        Raises:
            BuildError: a source cannot be had and that should stop the build.
            OSError: the folder cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        settled = self._settled(folder)
        while True:
            outcomes, failures = self._stage(folder, settled)
            if not failures:
                break
            settled = self._without(settled, failures)
            _keep(folder, settled)
        return self._stocked(folder, settled, outcomes)

    def _settled(self, folder: Path) -> _Settled:
        path = folder / "settled.json"
        if path.exists():
            settled = _Settled.model_validate_json(path.read_bytes())
            if LOGS in settled.quotas and self._other_logs(settled.quotas[LOGS].commit):
                raise BuildError(f"{folder}: was begun with {_LOGS}: {_ANEW}")
            return settled
        quotas = {name: _Quota(rows=rows) for name, rows in self._wanted().items()}
        with ThreadPoolExecutor(AT_ONCE) as threads:
            commits = dict(zip(quotas, threads.map(self._resolve, quotas), strict=True))
        failures = {name: str(error) for name, error in commits.items() if isinstance(error, LoadError)}
        for name, commit in commits.items():
            quotas[name].commit = "" if isinstance(commit, LoadError) else commit
        settled = _Settled(quotas=quotas, made=sum(part.made for part in self.preset.parts))
        if failures:
            settled = self._without(settled, failures)
        _keep(folder, settled)
        return settled

    def _resolve(self, name: str) -> str | LoadError:
        try:
            return self._loads(name).resolve(self._sources[name])
        except LoadError as error:
            return error

    def _stage(self, folder: Path, settled: _Settled) -> tuple[list[Outcome], dict[str, str]]:
        """Every source that can be had; the outcomes in order, and why others failed."""
        wanted = [name for name, quota in settled.quotas.items() if not quota.missing and quota.rows != 0]

        def one(name: str) -> Outcome | LoadError:
            quota = settled.quotas[name]
            try:
                outcome = stage(
                    folder,
                    self._sources[name],
                    quota.rows,
                    self.seed,
                    quota.commit,
                    self._loads(name),
                    self._asked,
                )
            except LoadError as error:
                return error
            self._staged(outcome)
            return outcome

        # The sources share the cores already: a matrix product on all of them waits more than it counts.
        with threadpool_limits(1), ThreadPoolExecutor(AT_ONCE) as threads:
            found = [*threads.map(one, wanted)]
        failures = {n: str(o) for n, o in zip(wanted, found, strict=True) if isinstance(o, LoadError)}
        return [outcome for outcome in found if isinstance(outcome, Outcome)], failures

    def _asked(self, texts: Sequence[str]) -> list[Asked | None]:
        calls = self._adapter.registry.infer_many(texts)
        return [
            Asked(call.tool, call.arguments)
            if call is not None and call.confidence >= (CONFIDENT if call.arguments else SURE)
            else None
            for call in calls
        ]

    def _without(self, settled: _Settled, failures: Mapping[str, str]) -> _Settled:
        """What is settled once sources turn out missing. Raises `BuildError` where that stops the build."""
        if self.missing == "stop":
            what = "\n".join(f"  {name}: {why}" for name, why in failures.items())
            raise BuildError(
                f"{len(failures)} of {len(self._sources)} sources cannot be had:\n{what}\n"
                "See to it and run again; or bring the files and name their folder (--mirror DIR); or go on "
                "without: --missing fill (others, then worlds, stand in for their rows) or --missing skip"
            )
        missing = {name for name, quota in settled.quotas.items() if quota.missing} | {*failures}
        quotas = {
            name: quota.model_copy(update={"missing": failures.get(name, quota.missing)})
            for name, quota in settled.quotas.items()
        }
        if self.missing == "skip":
            return _Settled(quotas=quotas, made=settled.made)
        filled = self._filled(missing)
        for part in filled:
            for name, rows in part.rows.items():
                quotas[name].rows = rows
        return _Settled(quotas=quotas, made=sum(part.made for part in filled))

    def _stocked(self, folder: Path, settled: _Settled, outcomes: Sequence[Outcome]) -> Stock:
        def pool(kind: Literal["texts", "talks"], apart: bool) -> Pool:
            chosen = [o for o in outcomes if (o.role not in TRAINING) is apart]
            supplies = (Supply(o.name, o.licence, o.role, getattr(o, kind)) for o in chosen)
            return Pool(folder, kind, tuple(supply for supply in supplies if supply.rows))

        hosted = Hosted(pool("texts", False), pool("talks", False), pool("texts", True), self.seed)
        done = {outcome.name: outcome for outcome in outcomes}
        rows = []
        for name, quota in settled.quotas.items():
            source, outcome = self._sources[name], done.get(name)
            row = SourceRows(
                name=name,
                repo=source.repo,
                commit=quota.commit,
                licence=source.licence,
                wanted=self.preset.rows.get(name, outcome.read if outcome else 0),
                missing=quota.missing,
            )
            if outcome is not None:
                counts = {"read": outcome.read, "rejected": outcome.rejected, "labels": outcome.labels}
                row = row.model_copy(update=counts)
            rows.append(row)
        rejects = tuple(folder / f"{slug(outcome.name)}.rejects.jsonl" for outcome in outcomes)
        return Stock(hosted, tuple(rows), rejects, settled.made)


def _preset(preset: str | Preset) -> Preset:
    if isinstance(preset, Preset):
        return preset
    if preset not in presets():
        raise BuildError(f"preset {preset!a}: no such preset; there are {', '.join(presets())}")
    return presets()[preset]


def _known(sources: Mapping[str, Source], name: str) -> Source:
    if name not in sources:
        raise BuildError(f"source {name!a}: not known; there are {', '.join(sources)}")
    return sources[name]


def _keep(folder: Path, settled: _Settled) -> None:
    write_file(folder / "settled.json", settled.model_dump_json().encode())
