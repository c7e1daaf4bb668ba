"""The public datasets that a build can draw on, one file each, and a person's own logs."""

from __future__ import annotations

from typing import Final

from gatling.data.sources.agent_reward_bench import AgentRewardBench
from gatling.data.sources.agentharm import AgentHarm, AgentHarmBenign
from gatling.data.sources.deepset import Deepset
from gatling.data.sources.dolci import Dolci
from gatling.data.sources.gandalf import Gandalf
from gatling.data.sources.geekyrakshit import Geekyrakshit
from gatling.data.sources.glaive import Glaive
from gatling.data.sources.hermes import Hermes
from gatling.data.sources.infosec_policies import InfosecPolicies
from gatling.data.sources.llmail import LLMail, LLMailLabelled
from gatling.data.sources.lmsys import LMSYS
from gatling.data.sources.logs import Logs
from gatling.data.sources.mosscap import Mosscap
from gatling.data.sources.octocoding import OctoCoding
from gatling.data.sources.reason_tool_use import ReasonToolUse
from gatling.data.sources.rubrichub import RubricHub, RubricHubSFT
from gatling.data.sources.source import (
    Channel,
    Label,
    Material,
    Rejected,
    Role,
    Source,
    Talk,
    Text,
    Unlabelled,
)
from gatling.data.sources.superior_reasoning import SuperiorReasoning
from gatling.data.sources.toolace import ToolACE
from gatling.data.sources.wildchat import WildChat
from gatling.data.sources.xlam import XLAM

__all__ = [
    "SOURCES",
    "Channel",
    "Label",
    "Material",
    "Rejected",
    "Role",
    "Source",
    "Talk",
    "Text",
    "UnknownSource",
    "Unlabelled",
    "source",
]

SOURCES: Final[tuple[Source, ...]] = (
    Deepset(),
    LLMail(),
    LLMailLabelled(),
    Geekyrakshit(),
    Gandalf(),
    Mosscap(),
    AgentHarm(),
    AgentHarmBenign(),
    ReasonToolUse(),
    Dolci(),
    Hermes(),
    XLAM(),
    ToolACE(),
    Glaive(),
    AgentRewardBench(),
    WildChat(),
    LMSYS(),
    SuperiorReasoning(),
    RubricHub(),
    RubricHubSFT(),
    OctoCoding(),
    InfosecPolicies(),
    Logs(),
)
"""All sources: texts with attacks, conversations with calls, texts without attacks, and own logs."""

_BY_NAME: Final = {source.name: source for source in SOURCES}


class UnknownSource(LookupError):
    """No source has that name; the message lists those that there are."""


def source(name: str) -> Source:
    """The source of that name. Raises `UnknownSource`."""
    if name not in _BY_NAME:
        raise UnknownSource(f"no source {name!a}; there are {', '.join(_BY_NAME)}")
    return _BY_NAME[name]
