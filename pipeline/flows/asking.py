"""Ask the models of one row: the cheap one first, the next where an answer does not pass."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.answers import beside
from pipeline.calling import Call, Caller
from pipeline.checks import Checks
from pipeline.judge import Judge, judge_chat, verdict
from pipeline.purse import Pace, Purse
from pipeline.requests import Message, Template, chat_of, openai_body
from pipeline.results import Result
from pipeline.routed import RoutedRow


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How to run."""

    caller: Caller
    template: Template
    checks: Checks
    prices: Mapping[str, tuple[float, float]]
    """US dollars for a token in and out, by model."""
    max_usd: float | None = None
    """Nothing is asked that could exceed this; needs prices and `max_tokens`."""
    n_at_once: int = 4
    per_minute: float | None = None
    """Most calls started in a minute."""

    def cost_usd(self, model: str, result: Result) -> float | None:
        """Return what an answer cost; None where tokens or price are not known."""
        price, n_in, n_out = self.prices.get(model), result.n_tokens_in, result.n_tokens_out
        if price is None or n_in is None or n_out is None or not result.is_plain:
            return None
        return n_in * price[0] + n_out * price[1]

    def most_usd(self, model: str, body: Mapping[str, Any], max_tokens: int | None) -> float:
        """Return the most a call can cost: a token has at least one byte."""
        price = self.prices.get(model, (0.0, 0.0))
        n_bytes = len(json.dumps(body, ensure_ascii=False).encode())
        return n_bytes * price[0] + (max_tokens or 0) * price[1]


@dataclass(frozen=True, kw_only=True)
class Billed:
    """One model asked once, and what that cost."""

    call: Call
    cost_usd: float | None
    """Null is unknown."""
    billed_usd: float
    """The most it can have cost, lost tries included."""


@dataclass(frozen=True, kw_only=True)
class Asker:
    """What the threads of a run share."""

    options: RunOptions
    client: Any
    purse: Purse
    pace: Pace

    def serve(self, row: RoutedRow) -> dict[str, Any]:
        """Ask the models of one row until an answer passes."""
        calls: list[dict[str, Any]] = []
        best, best_model, problem = Result(id=row.id, error="no model"), None, "no model"
        chat = chat_of(row.payload, row.text, self.options.template)
        for model in (row.model, *row.fallbacks) if row.model else ():
            asked = self._ask(row.id, model, chat, self.options.template)
            result = asked.call.result
            problem = result.error or self.options.checks.problem_of(result)
            judged_usd = 0.0
            if problem is None and self.options.checks.judge is not None:
                problem, judged_usd = self._judge(self.options.checks.judge, chat, result)
            calls.append(_noted(asked, model, problem, judged_usd))
            if result.error is None or best.answer is None:
                best, best_model = result, model
            if problem is None:
                break
        ours = {"answer": best.answer, "answer_model": best_model, "problem": problem}
        return beside(row.values, ours | {"calls": calls})

    def _judge(
        self, judge: Judge, chat: Sequence[Message], result: Result
    ) -> tuple[str | None, float]:
        """Return why the judge does not let an answer pass, and what asking it can have cost.

        Without a verdict it does not pass: an answer is never taken for checked when it is not.
        """
        request = Template(
            max_tokens=judge.max_tokens,
            temperature=0.0,
            models=self.options.template.models,
        )
        messages = judge_chat(judge, chat, result.answer or "")
        asked = self._ask(result.id, judge.model, messages, request)
        passes = verdict(asked.call.result.answer)
        if passes is None:
            why = asked.call.result.error or "neither PASS nor FAIL"
            return f"no verdict of the judge: {why}"[:300], asked.billed_usd
        return (None if passes else "the judge says FAIL"), asked.billed_usd

    def _ask(self, wanted: str, model: str, chat: Sequence[Message], template: Template) -> Billed:
        """Ask one model, within the cap and the pace."""
        options = self.options
        name = template.models.get(model, model)
        most = options.most_usd(model, openai_body(chat, name, template), template.max_tokens)
        held = most * options.caller.n_tries if options.max_usd is not None else 0.0
        self.purse.hold(held)
        billed = held  # whatever ends this call otherwise
        try:
            self.pace.wait()
            call = options.caller.ask(self.client, wanted, name, chat, template)
            cost = options.cost_usd(model, call.result)
            unknown = most if call.result.error is None else 0.0
            billed = call.n_lost * most + (unknown if cost is None else cost)
        finally:
            self.purse.settle(held, billed)
        return Billed(call=call, cost_usd=cost, billed_usd=billed)


def _noted(asked: Billed, model: str, problem: str | None, judged_usd: float) -> dict[str, Any]:
    result = asked.call.result
    return {
        "model": model,
        "problem": problem,
        "is_answer": result.error is None,
        "n_tokens_in": result.n_tokens_in,
        "n_tokens_out": result.n_tokens_out,
        "cost_usd": asked.cost_usd,
        "billed_usd": asked.billed_usd,
        "judge_billed_usd": judged_usd,
        "latency_s": round(asked.call.latency_s, 6),
    }
