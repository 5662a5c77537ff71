"""Builds ADK's evaluation sets from `cases/*.yaml`: `python -m evals.build_sets`; `--check` only compares."""

from __future__ import annotations

import sys
from pathlib import Path

from google.adk.evaluation.eval_case import EvalCase, IntermediateData, Invocation, SessionInput
from google.adk.evaluation.eval_set import EvalSet
from google.genai import types

from evals.case_conditions import Conditions
from evals.case_files import CaseError, Cases, Conversation, Turn, read_cases
from evals.effects import EXPECTATION_CALL, Expectation

HERE = Path(__file__).parent
CASES = HERE / "cases"
AGENT = HERE.parent / "agents" / "desk"
SUFFIX = ".evalset.json"


def build(name: str, cases: Cases) -> EvalSet:
    """Converts a set of cases into ADK's evaluation set."""
    return EvalSet(
        eval_set_id=name,
        name=name,
        description=cases.about,
        eval_cases=[_case(cases, case) for case in cases.cases],
    )


def _case(cases: Cases, case: Conversation) -> EvalCase:
    before = cases.contexts[case.context] if case.context else []
    return EvalCase(
        eval_id=case.id,
        conversation=[
            to_invocation(turn, f"{case.id}-{i}", setup=i <= len(before))
            for i, turn in enumerate([*before, *case.turns], 1)
        ],
        session_input=SessionInput(app_name="desk", user_id="eval", state=case.state),
        **Conditions(cases.ask_above_usd, cases.unfinished).to_fields(),
    )


def to_invocation(turn: Turn, invocation_id: str, setup: bool = False) -> Invocation:
    """Converts a turn into ADK's form; `evals.invocation_facts` reads it for the metrics.

    Args:
        setup: whether the turn only prepares the turns that are judged.
    """
    routes = turn.routes
    transfers = [] if routes == ("desk",) else [("transfer_to_agent", {"agent_name": route}) for route in routes]
    calls = [next(iter(call.items())) for call in turn.calls]
    if turn.effects:
        expectation = Expectation(
            turn.effects, tuple(turn.brief_has), tuple(turn.brief_lacks), tuple(turn.about), setup
        )
        calls.append((EXPECTATION_CALL, expectation.to_arguments()))
    answer = [f"**Verdict: {'safe' if each == 'safe' else f'not safe, {each}'}**" for each in turn.verdicts]
    answer += [turn.answer.strip()] if turn.answer else []
    answer += (
        ["## Sources\n\n1. [a source](https://example.com)"]
        if (turn.effects[:1] == ("start",) if turn.sources is None else turn.sources)
        else []
    )
    return Invocation(
        invocation_id=invocation_id,
        user_content=types.UserContent(turn.user),
        final_response=types.ModelContent("\n\n".join(answer)) if answer else None,
        intermediate_data=IntermediateData(
            tool_uses=[types.FunctionCall(name=name, args=args) for name, args in [*transfers, *calls]]
        ),
    )


def to_json(built: EvalSet) -> str:
    """Converts a set to the text of its file."""
    return built.model_dump_json(indent=1, exclude_none=True, exclude_defaults=True) + "\n"


def main(arguments: list[str]) -> int:
    """Writes the sets. With `--check`, only prints which sets are not up to date."""
    texts = {
        f"{file.stem}{SUFFIX}": to_json(build(file.stem, read_cases(file))) for file in sorted(CASES.glob("*.yaml"))
    }
    there = {file.name: file.read_text(encoding="utf-8") for file in HERE.glob(f"*{SUFFIX}")}
    if "--check" in arguments:
        stale = sorted({*texts, *there} - {name for name, text in texts.items() if there.get(name) == text})
        print(f"not up to date: {', '.join(stale)}; run `python -m evals.build_sets`" if stale else "up to date")
        return bool(stale)
    for name in there.keys() - texts.keys():
        (HERE / name).unlink()
        (AGENT / name).unlink(missing_ok=True)
    for name, text in texts.items():
        (HERE / name).write_text(text, encoding="utf-8")
        link = AGENT / name  # `adk optimize` and the Eval tab of `adk web` read sets there
        if not link.is_symlink():
            link.symlink_to(Path("../../evals") / name)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except CaseError as mistake:
        sys.exit(f"error: {mistake}")
