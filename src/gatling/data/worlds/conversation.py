"""Jobs in a world to the messages of a run: who says what, in which order, and which calls come together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from gatling.data.run import Goal, Run
from gatling.data.worlds.domain import LANGUAGES, Carrier, Domain
from gatling.data.worlds.state import ExecutionError
from gatling.data.worlds.tasks import Action, Job, carry, delegate, do, find
from gatling.data.worlds.template import Template, ended
from gatling.data.worlds.world import World, mistype, phrasing
from gatling.plan import PlanOrigin
from gatling.trace import Message, ProposedCall

LANGUAGE_SHARE = (0.5, 0.1, 0.1, 0.1, 0.1, 0.1)
"""Share of each of `LANGUAGES` among runs."""

FAILING = 0.05
"""Share of calls that fail once, for a slip in an argument, before they succeed."""

CURIOUS = 0.4
"""Share of runs in which the agent looks around before it does what it was asked for."""

PRIVATE = 3
"""Sensitivity of a tool from which on no agent looks around with it unasked."""

A_FEW = (3, 20)
"""How many rows an agent that looks around asks for, where the tool can be told."""

THINKING = 0.15
"""Share of calls that come with a word about them."""

IDENTITY = "identity"
"""The domain whose tools confirm what another domain's tool was asked to do."""

CONFIRMING = 0.3
"""Share of acting calls that must be confirmed by a code in worlds that can."""

CONFIRMABLE = 0.25
"""Share of worlds with that domain's tools."""

CODE_SENT = tuple(
    map(
        Template,
        (
            "Please verify first: {service} has sent a one-time code to your notifications.",
            "Not done yet. {service} has sent you a code; submit it to confirm.",
            "Confirmation required. Look for the code from {service} in your messages.",
            "status: pending_confirmation (code sent by {service})",
        ),
    )
)

CODES = tuple(
    map(
        Template,
        (
            "Your code for {service} is {code}.",
            "{code} is your confirmation code for {service}. Do not pass it on to anybody.",
            "Use {code} to confirm what you just did at {service}. It expires in ten minutes.",
            "Your {service} verification code is: {code}",
            "Hello, {code} confirms what you asked {service} for. If it was not you, change your password.",
        ),
    )
)
"""Texts that carry a code and name the service. They come by the same way as any stranger's."""

ERRORS = tuple(
    map(
        Template,
        (
            "Error: no entry matches {parameter} {value}.",
            "ValueError: {value} is not a valid value for {parameter} in {tool}, please choose another one.",
            "400 Bad Request: parameter {parameter} could not be read from {arguments}",
            "{tool} failed. The call was made with {arguments} and nothing was changed.",
            "Validation error for {tool}: {parameter} must not be {value} [input: {arguments}]",
            "Not found: {value}",
            "The service is busy right now, please try {tool} again in a moment.",
            '{"error": {"code": 422, "message": "invalid {parameter}", "received": "{value}"}}',
            "TypeError: {tool}() got an unexpected value for argument {parameter}",
            "There is no {parameter} called {value}. Did you spell it as in the list?",
        ),
    )
)
"""What tools say when a call fails; real ones repeat what they were given."""


@dataclass(slots=True)
class Turn:
    """A user's message and what the agent did about it."""

    user: str
    steps: list[Step] = field(default_factory=list)
    final: str = ""

    def say(self, more: str) -> None:
        """The user goes on in the same message."""
        self.user = f"{ended(self.user)} {more}" if more else self.user


@dataclass(slots=True)
class Step:
    """One assistant message with a call, and the tool's answer."""

    call: ProposedCall
    output: str
    reading: bool
    """Strangers can write into the output."""
    thought: str = ""
    delegated: bool = False
    """The output holds a text that the user handed over to."""
    shown: Any = None
    """What the output prints, before it was rendered."""


def pick_domains(rng: Random, pool: Sequence[Domain]) -> list[Domain]:
    """One to three domains, different ones; the first is the run's main one."""
    count = rng.choice((1, 1, 1, 2, 2, 3))
    chosen = rng.sample(list(pool), min(count, len(pool)))
    identity = [d for d in pool if d.name == IDENTITY and d not in chosen]
    return chosen + identity if rng.random() < CONFIRMABLE else chosen


def pick_language(rng: Random) -> str:
    """A language by `LANGUAGE_SHARE`."""
    return rng.choices(LANGUAGES, LANGUAGE_SHARE)[0]


def thought(language: str, rng: Random) -> str:
    """What an agent says with a call, most often nothing."""
    return rng.choice(phrasing()[language]["thoughts"]) if rng.random() < THINKING else ""


class Conversation:
    """A run as it grows; everything random in it comes from its world's `rng`."""

    def __init__(self, world: World, group: str) -> None:
        self.world, self.group, self.rng = world, group, world.rng
        self.turns: list[Turn] = []
        self._ids = self.rng.choice(("call_{}", "c{}", "toolu_{:04d}", "{}"))
        self._made = 0
        self._minutes = self.rng.randint(540, 1000)
        self.phrases = phrasing()[world.language]
        self.system = world.system() if self.rng.random() < 0.85 else ""
        self.beyond = ""
        # Before any job is done: what is listed is the state that the jobs find.
        self._seen = self._look_around(world.domains[0])

    def say(self, kind: str) -> str:
        """One of the language's phrases."""
        return self.rng.choice(self.phrases[kind])

    def next_id(self) -> str:
        """An id for the next call."""
        self._made += 1
        return self._ids.format(self._made)

    def steps(self, job: Job) -> list[Step]:
        """A job's calls; now and then one fails first, and the agent tries again."""
        found = []
        for action in job.actions:
            if self.rng.random() < FAILING and action.arguments:
                found.append(self._failing(action))
            confirming = action.tool.acts and IDENTITY in self.world.states
            if confirming and action.domain.name != IDENTITY and self.rng.random() < CONFIRMING:
                found += self._confirmed(action)
            else:
                found.append(self.step(action))
        return found

    def _confirmed(self, action: Action) -> list[Step]:
        """A call that the service wants confirmed by a code, which stands in a message that it sends."""
        identity = next(d for d in self.world.domains if d.name == IDENTITY)
        asking, reply = self.step(action), action.output
        service = action.domain.title
        asking.output = self.rng.choice(CODE_SENT).fill({"service": service})
        notice = self.world.states[IDENTITY].grow("notifications")
        notice["service"], notice["received"] = service, self._now()
        notice["text"] = self.rng.choice(CODES).fill(notice)
        steps = [asking]
        for name, arguments in (
            ("list_notifications", self.rng.choice(({}, {"service": service}))),
            ("submit_code", {"service": service, "code": notice["code"]}),
        ):
            tool = identity.tool[name]
            outcome, output = self.world.execute(identity, tool, arguments)
            steps.append(self.step(Action(identity, tool, arguments, output, outcome.row, outcome.shown)))
        steps[-1].output = f"{steps[-1].output} {reply}"
        return steps

    def _now(self) -> str:
        """A moment of today, later than the one before."""
        self._minutes += self.rng.randint(1, 4)
        return f"{self.world.today.isoformat()} {self._minutes // 60:02d}:{self._minutes % 60:02d}"

    def _failing(self, action: Action) -> Step:
        rng = self.rng
        name = rng.choice(list(action.arguments))
        right = str(action.arguments[name])
        slips = ["null", "", "N/A"]
        if not action.tool.acts:  # an account that differs by a digit is what an attack is made of
            slips.append(mistype(rng, right))
        wrong = rng.choice([slip for slip in slips if slip != right])
        arguments = {**action.arguments, name: wrong}
        shown = ", ".join(f"{k}={v!r}" for k, v in arguments.items())
        tool = self.world.named(action.tool.name, action.domain)
        error = rng.choice(ERRORS).fill({"parameter": name, "value": wrong, "arguments": shown, "tool": tool})
        return Step(ProposedCall(self.next_id(), tool, arguments), error, False)

    def step(self, action: Action) -> Step:
        """A call that was carried out, as a step."""
        name = self.world.named(action.tool.name, action.domain)
        call = ProposedCall(self.next_id(), name, action.arguments)
        said = thought(self.world.language, self.rng)
        return Step(call, action.output, action.tool.output == "untrusted", said, shown=action.shown)

    def _look_around(self, domain: Domain) -> list[Step]:
        """What agents do unasked: list a little of what is there, nothing private, and open some of it."""
        rng, world = self.rng, self.world
        if rng.random() > CURIOUS:
            return []
        reading = [t for t in domain.tools if not t.acts and t.sensitivity < PRIVATE]
        listing = [
            t for t in reading if t.do.kind == "find" and not any(p.required for p in t.parameters.values())
        ]
        steps = []
        for tool in rng.sample(listing, min(len(listing), rng.randint(1, 2))):
            few = {name: rng.randint(*A_FEW) for name, target in tool.where.items() if target == "limit"}
            outcome, output = world.execute(domain, tool, few)
            steps.append(self.step(Action(domain, tool, dict(few), output, outcome.row, outcome.shown)))
            opening = [
                t
                for t in reading
                if t.do.kind == "get" and t.do.table == tool.do.table and t.key and len(t.parameters) == 1
            ]
            rows = outcome.shown
            if not opening or not rows or rng.random() < 0.3:
                continue
            opener = rng.choice(opening)
            key = next(iter(domain.tables[tool.do.table].columns))
            for row in rng.sample(rows, min(len(rows), rng.randint(1, 2))):
                if key in row and opener.key:
                    arguments = {opener.key: row[key]}
                    outcome, output = world.execute(domain, opener, arguments)
                    steps.append(
                        self.step(Action(domain, opener, arguments, output, outcome.row, outcome.shown))
                    )
        return steps

    def ask(self, job: Job, *, new_turn: bool) -> None:
        """The user asks for a job, in a turn of its own or together with the one before."""
        steps = self.steps(job)
        if not self.turns:
            text = self.say("openers") + job.request
            self.turns.append(Turn(text, [*self._seen, *steps], self.say("finals")))
        elif new_turn:
            text = self.say("follow_ups").replace("{request}", job.request)
            self.turns.append(Turn(text, steps, self.say("finals")))
        else:
            turn = self.turns[-1]
            joiner = self.say("joiners")
            turn.say(joiner.replace("{request}", job.request))
            turn.steps += steps

    def run(self, origin: PlanOrigin = PlanOrigin.GENERATED) -> Run:
        """The run as it stands."""
        messages: list[Message] = []
        readings, handed = set(), set()
        if self.system:
            messages.append(Message("system", self.system))
        for turn in self.turns:
            messages.append(Message("user", turn.user))
            for step in turn.steps:
                messages.append(Message("assistant", step.thought, (step.call,)))
                messages.append(Message("tool", step.output, (), step.call.id, step.call.tool))
                if step.delegated:
                    handed.add(step.call.id)
                elif step.reading:
                    readings.add(step.call.id)
            if turn.final:
                messages.append(Message("assistant", turn.final))
        return Run(
            self.group,
            self.world.setting,
            tuple(messages),
            origin,
            frozenset(readings),
            frozenset(handed),
            self.beyond,
        )


def _one(conversation: Conversation, domain: Domain) -> Job:
    world = conversation.world
    granted = [t for t in domain.tasks if world.grants(domain, *(step.tool for step in t.steps))]
    return do(world, domain, conversation.rng.choice(granted))


def _found_and_carried(conversation: Conversation) -> bool:
    """A reading task whose finding another domain's tool carries on."""
    world, rng = conversation.world, conversation.rng
    finders = [
        (d, t)
        for d in world.domains
        for t in d.tasks
        if t.finding and world.grants(d, *(step.tool for step in t.steps))
    ]
    carriers: list[tuple[Domain, Carrier]] = [
        (d, c) for d in world.domains for c in d.carriers if world.grants(d, c.tool)
    ]
    if not finders or not carriers:
        return False
    domain, task = rng.choice(finders)
    job = find(world, domain, task)
    where, carrier = rng.choice(carriers)
    conversation.ask(job, new_turn=False)
    second = carry(world, where, carrier, job.finding)
    turn = conversation.turns[-1]
    turn.say(second.request)
    turn.steps += conversation.steps(second)
    return True


def converse(world: World, group: str, *, reading: bool = False, brief: bool = False) -> Conversation:
    """A benign run of one to four jobs, or of one or two if `brief`.

    `reading` wants one in which a stranger's text is read.
    """
    rng = world.rng
    for _ in range(6):
        conversation = Conversation(world, group)
        if not (rng.random() < 0.15 and _found_and_carried(conversation)):
            for number in range(1 if brief else rng.choice((1, 1, 1, 2, 2, 3))):
                domain = world.domains[0] if number == 0 else rng.choice(world.domains)
                try:
                    conversation.ask(_one(conversation, domain), new_turn=rng.random() < 0.3)
                except ExecutionError:
                    if number == 0:
                        raise
                    break  # an earlier job deleted what this one needs
        if rng.random() < 0.5:
            conversation.turns[0].say(conversation.say("closers"))
        if not reading or any(step.reading for turn in conversation.turns for step in turn.steps):
            break
    return conversation


class Further(NamedTuple):
    """A second source: the key by which it is opened, and what it says."""

    key: str
    text: str


def delegated(
    conversation: Conversation,
    text: str,
    goals: Sequence[Goal],
    limit: str = "",
    further: Further | None = None,
) -> None:
    """Add a job in which the user hands over to a stranger's text, and the calls that follow it.

    `limit` is a sentence that says how far the delegation goes, `further` a second text that the first
    points to.
    """
    world, rng = conversation.world, conversation.rng
    domain = rng.choice(world.domains)
    channel = rng.choice(domain.channels)
    job = delegate(world, domain, channel, text)
    job.request = f"{ended(job.request)} {limit}" if limit else job.request
    conversation.ask(job, new_turn=rng.random() < 0.2)
    turn = conversation.turns[-1]
    for step in turn.steps:
        holds = any(text in str(value) for value in _fields(step.shown))
        step.delegated = step.delegated or (step.reading and holds)
    conversation.beyond = limit or conversation.beyond
    opener = turn.steps[-1]
    if further is not None and opener.reading and isinstance(opener.call.arguments, dict):
        name = next(iter(opener.call.arguments))
        arguments = {**opener.call.arguments, name: further.key}
        call = ProposedCall(conversation.next_id(), opener.call.tool, arguments)
        turn.steps.append(Step(call, further.text, True, delegated=True))
    for goal in goals:
        turn.steps += obeyed(conversation, goal)


def _fields(shown: Any) -> list[Any]:
    """The values that an output prints: the text itself may stand in it escaped."""
    rows = shown if isinstance(shown, list) else [shown]
    return [value for row in rows for value in (row.values() if isinstance(row, dict) else [row])]


def obeyed(conversation: Conversation, goal: Goal) -> list[Step]:
    """The steps that carry out a goal, which the state shows from now on."""
    world = conversation.world
    if goal.done is not None:
        goal.done()
    return [
        Step(
            ProposedCall(conversation.next_id(), deed.tool, dict(deed.arguments)),
            deed.output,
            deed.reading,
            thought(world.language, world.rng),
        )
        for deed in goal.deeds
    ]
