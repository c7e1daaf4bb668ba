"""The mutations: one file per operator."""

from __future__ import annotations

from gatling.data.mutations.operator import Goals, Mutant, Mutation
from gatling.data.mutations.shadowing import InstructionShadowing

__all__ = ["MUTATIONS", "Goals", "Mutant", "Mutation"]

MUTATIONS: tuple[Mutation, ...] = (InstructionShadowing(),)
