"""The arguments of the tools: their JSON schemas, and checks whose errors are one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from tools.errors import BadArgument
from tools.mcp_server.limits import MAX_ARGUMENT_ERRORS, MAX_ARGUMENTS, MAX_TOOL_WAIT_S, MAX_WRONG_VALUE_CHARS
from tools.research.order import MAX_BRIEF_CHARS, MAX_TITLE_CHARS
from tools.text.secret_redaction import redact
from tools.text.unsafe_characters import sanitize_json

JobId = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(lambda name: name.strip().strip("`").casefold()),
    Field(description="Id of a research run: job_ and eight characters."),
]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_BRIEF_CHARS)]
PageNumber = Annotated[int, Field(default=1, ge=1, le=100_000)]
MaxUsd = Annotated[
    float,
    Field(
        ge=0,
        le=1_000,
        strict=True,  # true is not a price
        allow_inf_nan=False,
        description="The upper price in US dollars that the person has agreed to: exactly the amount in the question.",
    ),
]


class Arguments(BaseModel):
    """Arguments of a tool."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Start(Arguments):
    brief: Words = Field(
        description="The whole task, for somebody who knows nothing of this conversation: topic, period, region, "
        "audience, form, length and language."
    )
    title: Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_TITLE_CHARS)] = Field(
        "", description="A few words by which the person knows the run again."
    )
    depth: Literal["standard", "max"] = Field(
        "standard", description="max: the most thorough and expensive agent, only if the person asks for it."
    )
    plan_first: bool = Field(False, description="Show a plan before the run; both need a yes.")
    builds_on: JobId = Field("", description="Id of a finished run that this one continues; else empty.")
    again: bool = Field(
        False, description="Pay for a new run although this brief has one already; only if the person asks for it."
    )


class Status(Arguments):
    job: JobId
    wait_seconds: float = Field(
        20, ge=0, le=MAX_TOOL_WAIT_S, allow_inf_nan=False, description="Seconds to wait for the end or for a plan."
    )


class Report(Arguments):
    job: JobId
    part: Literal["summary", "outline", "section", "page"] = Field(
        "summary", description="summary: facts and the beginning. outline: numbered sections. page: the whole report."
    )
    section: Annotated[str, StringConstraints(max_length=500)] = Field(
        "", description="With part=section: its number in the outline, or its name."
    )
    page: PageNumber = Field(1, description="Number of the page of this part.")


class Ask(Arguments):
    job: JobId
    question: Words = Field(description="A question that is complete in itself.")
    page: PageNumber = Field(1, description="Number of the page of a long answer.")


class Approve(Arguments):
    job: JobId
    max_usd: MaxUsd


class Revise(Arguments):
    job: JobId
    changes: Words = Field(description="What the person wants to be different in the plan.")
    max_usd: MaxUsd


class Cancel(Arguments):
    job: JobId


class List(Arguments):
    page: PageNumber = Field(1, description="Number of the page; the newest runs are on the first.")


A = TypeVar("A", bound=Arguments)


def parse(kind: type[A], arguments: Mapping[str, Any]) -> A:
    """Checks the arguments of a call. Control characters and lone surrogates are replaced first.

    Raises:
        BadArgument: an argument is missing, unknown or out of bounds; the message names a few of these.
    """
    if len(arguments) > MAX_ARGUMENTS:
        raise BadArgument(f"there are {len(arguments)} arguments: this tool takes {', '.join(kind.model_fields)}")
    try:
        return kind.model_validate(sanitize_json(dict(arguments)))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        sentences = [_sentence(kind, each) for each in found[:MAX_ARGUMENT_ERRORS]]
        sentences += [f"and {len(found) - MAX_ARGUMENT_ERRORS} more"] if len(found) > MAX_ARGUMENT_ERRORS else []
        raise BadArgument("; ".join(sentences)) from None


def _sentence(kind: type[Arguments], error: Mapping[str, Any]) -> str:
    name = ".".join(map(str, error["loc"]))
    match error["type"]:
        case "missing":
            return f"`{name}` is missing"
        case "extra_forbidden":
            return f"`{name[:40]}` is not an argument of this tool: it takes {', '.join(kind.model_fields)}"
    return f"`{name}`: {error['msg']}, not {redact(repr(error['input'])[:MAX_WRONG_VALUE_CHARS])[:80]}"
