"""What came of a mining, as its report tells it: what was weak, what was made, what it changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gatling.evaluate.bootstrap import Estimate
from gatling.mining.judging import Judgement
from gatling.mining.regions import Region


@dataclass(frozen=True, slots=True)
class Weakness:
    """A weak region as a report has it; see `gatling.mining.regions.Region`."""

    violates: bool
    """Misses, or else false alarms."""
    traits: dict[str, str]
    errors: int
    """Errors and near errors."""
    runs: int
    low: float
    """95% interval of the share of errors."""
    high: float
    usual: float
    """That share on its side."""

    @classmethod
    def of(cls, region: Region) -> Weakness:
        """A region as a plain value."""
        share = region.share
        assert share["low"] is not None and share["high"] is not None
        return cls(
            violates=region.violates,
            traits=dict(region.traits),
            errors=share["count"],
            runs=share["of"],
            low=share["low"],
            high=share["high"],
            usual=region.usual,
        )


@dataclass(frozen=True, slots=True)
class Round:
    """A round's decisions, and what they changed."""

    number: int
    threshold: float
    """Of the model that the round began with: a logit."""
    weaknesses: tuple[Weakness, ...]
    """Those that explain most first."""
    candidates: int
    dropped: dict[str, int]
    """Reason -> candidates."""
    added: dict[str, int]
    """Kind -> samples."""
    families: dict[str, int]
    """Attack family or mutation operator -> samples."""
    steps: int
    """Training steps done; the best model may be of an earlier one."""
    measured: Judgement
    gain: Estimate
    """In AUC on validation over the round before."""

    @property
    def helped(self) -> bool:
        """The gain is more than its own noise: its interval lies above 0."""
        return self.gain["low"] is not None and self.gain["low"] > 0.0

    def __str__(self) -> str:
        added = sum(self.added.values())
        low, high = self.gain["low"] or 0.0, self.gain["high"] or 0.0
        return (
            f"round {self.number}: {added} of {self.candidates} candidates added; AUC on validation "
            f"{self.measured.auc['value'] or 0.0:.4f}, {self.gain['value'] or 0.0:+.4f} "
            f"[{low:+.4f}, {high:+.4f}] over the round before"
        )


@dataclass(frozen=True, slots=True)
class Mined:
    """What came of it."""

    data: Path
    """The build with what was mined."""
    model: Path
    """The folder of the last training."""
    first: Judgement
    """Of the model that mining began with."""
    samples: int
    """Training samples before the first round."""
    rounds: tuple[Round, ...]
    threshold: float
    """Of the last model: a logit."""
    stopped: str
    """Why there were no more rounds."""
