"""How the network's weights move: AdamW, its learning rate at each step, and weights that stay 0."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim import AdamW

from gatling.model.encoders import ItemLayer, PlanTower, TextLayer
from gatling.model.recipe import Optimiser, Recipe
from gatling.model.word_encoder import Comparison


def learning_rate(recipe: Recipe, step: int) -> float:
    """The learning rate of a step: in each stage a linear rise, then half a cosine down to 0."""
    first, second = recipe.pretrain.steps, recipe.contrast.steps
    at, steps = (step, first) if step < first else (step - first, second)
    rising = recipe.optimiser.warm_up * steps
    if at < rising:
        return recipe.optimiser.learning_rate * (at + 1) / (rising + 1)
    return recipe.optimiser.learning_rate * (1 + math.cos(math.pi * (at - rising) / (steps - rising))) / 2


def adamw(network: nn.Module, optimiser: Optimiser) -> AdamW:
    """AdamW for a network's trainable parameters, each of which gets a gradient of 0."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    decayed = {
        "params": [p for p in parameters if p.ndim > 1],
        "weight_decay": optimiser.weight_decay,
    }
    others = {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0}
    return AdamW([decayed, others], lr=optimiser.learning_rate)


def blind(network: nn.Module, features: str) -> None:
    """Hold the weights of what the network shall not read at 0; so it is blind to it in audits too."""
    for module in network.modules():
        layer = None
        if features == "numbers" and isinstance(module, TextLayer):
            layer = module.linear
        if features == "numbers" and isinstance(module, Comparison):
            layer = module.out
        if features == "text" and isinstance(module, ItemLayer | PlanTower):
            layer = module.numbers
        if layer is not None:
            layer.weight.requires_grad_(False).zero_()
