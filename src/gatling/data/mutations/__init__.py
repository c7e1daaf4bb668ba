"""The mutations: one file per operator, over any run."""

from __future__ import annotations

from gatling.data.mutations.access_boundary import AccessBoundary
from gatling.data.mutations.beyond import BeyondDelegation
from gatling.data.mutations.destination_swap import DestinationSwap
from gatling.data.mutations.exfiltration import ExfiltrationPivot
from gatling.data.mutations.fragmentation import Fragmentation
from gatling.data.mutations.limits import ApprovalBypass, NumericEdge, NumericNear
from gatling.data.mutations.multi_hop import MultiHop
from gatling.data.mutations.obfuscation import Obfuscation
from gatling.data.mutations.operator import Goals, Mutant, Mutation
from gatling.data.mutations.privilege import PrivilegeEscalation
from gatling.data.mutations.rug_pull import ProvenanceRugPull
from gatling.data.mutations.scope_blow_up import ScopeBlowUp
from gatling.data.mutations.sensitivity_creep import SensitivityCreep
from gatling.data.mutations.shadowing import InstructionShadowing
from gatling.data.mutations.sleeper import Sleeper
from gatling.data.mutations.tool_substitution import ToolSubstitution
from gatling.data.mutations.window_overflow import WindowOverflow

__all__ = ["MUTATIONS", "Goals", "Mutant", "Mutation"]

MUTATIONS: tuple[Mutation, ...] = (
    InstructionShadowing(),
    ProvenanceRugPull(),
    ExfiltrationPivot(),
    PrivilegeEscalation(),
    Sleeper(),
    MultiHop(),
    Fragmentation(),
    BeyondDelegation(),
    Obfuscation(),
    ScopeBlowUp(),
    DestinationSwap(),
    ToolSubstitution(),
    NumericEdge(),
    NumericNear(),
    ApprovalBypass(),
    WindowOverflow(),
    AccessBoundary(),
    SensitivityCreep(),
)
"""All operators. The first nine follow a stranger's text, the others change calls without one."""
