"""Execute everything in a domain many times and say what fails: `python -m gatling.data.worlds.check NAME`."""

from __future__ import annotations

import re
import sys
from random import Random

from gatling.data.worlds.domain import FOLDER, LANGUAGES, read_domain
from gatling.data.worlds.goals import WorldGoals
from gatling.data.worlds.tasks import carry, delegate, do
from gatling.data.worlds.world import World


def main() -> None:
    for name in sys.argv[1:]:
        domain = read_domain(FOLDER / f"{name}.toml")
        problems: dict[str, str] = {}
        print(
            f"=== {name}: {len(domain.tools)} tools, {len(domain.tasks)} tasks, {len(domain.carriers)} carriers"
        )

        def attempt(what, make):
            try:
                return make()
            except Exception as error:
                problems.setdefault(what, f"{type(error).__name__}: {error}")
                return None

        for seed in range(40):
            for language in LANGUAGES:
                world = attempt("world", lambda: World([domain], language, Random(seed)))
                if world is None:
                    continue
                attempt("system", world.system)
                for task in domain.tasks:
                    world = attempt("world", lambda: World([domain], language, Random(seed)))
                    job = attempt(f"task {task.name}", lambda: do(world, domain, task))
                    if job is None:
                        continue
                    if re.search(r"\{[\w.]+\}", job.request + "".join(a.output for a in job.actions)):
                        problems.setdefault(f"task {task.name}", "unfilled slot: " + job.request)
                    for action in job.actions:
                        if action.tool.do.kind == "find" and not action.row and action.tool.where:
                            problems.setdefault(
                                f"task {task.name}: {action.tool.name}",
                                f"found nothing with {action.arguments}",
                            )
                    if seed == 0 or (seed == 1 and language == "en"):
                        print(f"[{language}] {task.name}: {job.request}")
                    if seed == 0 and language == "en":
                        for action in job.actions:
                            print(f"      {action.tool.name}({action.arguments}) -> {action.output[:160]!r}")
                for carrier in domain.carriers:
                    job = attempt(f"carrier {carrier.tool}", lambda: carry(world, domain, carrier, "FOUND"))
                    if job and seed == 0:
                        print(f"[{language}] carrier: {job.request} {job.actions[0].arguments}")
                for channel in domain.channels:
                    job = attempt(
                        f"channel {channel.table}", lambda: delegate(world, domain, channel, "DELEGATED TEXT")
                    )
                    if job and not any("DELEGATED TEXT" in a.output for a in job.actions):
                        problems.setdefault(f"channel {channel.table}", "its steps do not show the text")
                    if job and seed == 0:
                        print(f"[{language}] channel: {job.request}")
                for tool in domain.tools:
                    if tool.acts and tool.ask is None:
                        problems.setdefault(f"tool {tool.name}", "acts and has no ask")
                    if tool.ask:
                        goal = attempt(f"goal {tool.name}", lambda: WorldGoals(world).call(domain, tool))
                        if goal:
                            attempt(
                                f"call {tool.name}", lambda: world.execute(domain, tool, goal.deed.arguments)
                            )
                            if seed == 0:
                                print(f"[{language}] ask {tool.name}: {goal.asks[0]} | {goal.facts[:1]}")
        for what, why in problems.items():
            print(f"PROBLEM {name}: {what}: {why}")
        print(f"{name}: {len(problems)} problems")


main()
