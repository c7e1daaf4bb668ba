"""How good a model is: scored runs in, a report with intervals out.

`evaluate` measures runs that a model has scored, and `write` makes JSON, Markdown and one HTML page of it.
"""

from gatling.evaluate.report import Evaluation, evaluate, write
from gatling.evaluate.scored import EvaluationError, ScoredCall, ScoredRun
from gatling.evaluate.words import summary

__all__ = [
    "Evaluation",
    "EvaluationError",
    "ScoredCall",
    "ScoredRun",
    "evaluate",
    "summary",
    "write",
]
