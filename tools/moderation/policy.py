"""The policy of the moderation gate, from `moderation_policy.yaml` beside the root agent's file."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tools.interactions.model_catalog import capabilities_of
from tools.interactions.unsupported_features import capability_errors
from tools.moderation.verdict import Verdict
from tools.text.did_you_mean import did_you_mean
from tools.yaml_files.field_errors import explain
from tools.yaml_files.reading import ConfigError, config_files, read_mapping, read_yaml

log = logging.getLogger(__name__)

FILE_NAME = "moderation_policy.yaml"
FORMER_NAME = "policy.yaml"
"""The file's name in earlier versions."""
Action = Literal["pass", "flag", "block"]

MAX_TIMEOUT_S = 600.0
"""Maximum of `timeout_seconds`, in seconds: each message waits for its verdict."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Rule(_Strict):
    """The rule for texts with a verdict of one category; by default they are blocked."""

    threshold: float = Field(default=0.5, ge=0, le=1)
    """Minimum confidence for the action, from 0 to 1."""
    action: Literal["block", "flag"] = "block"
    message: str = Field(default="This goes no further: it breaks the rules of this desk.", min_length=1)
    """The text that the user gets instead of an answer."""


class Categories(_Strict):
    """One rule for each unsafe category."""

    spam: Rule = Rule()
    inappropriate: Rule = Rule()
    harmful: Rule = Rule()


class Policy(_Strict):
    """The keys of `moderation_policy.yaml`."""

    enabled: bool = False
    model: Annotated[str, Field(min_length=1)] = "gemini-3.8-flash"
    timeout_seconds: float = Field(default=20.0, gt=0, le=MAX_TIMEOUT_S, allow_inf_nan=False)
    """Timeout of a verdict, in seconds; without a verdict, the text is blocked."""
    screen: list[Literal["user_messages", "reports"]] = ["user_messages"]
    categories: Categories = Categories()

    @field_validator("model")
    @classmethod
    def _as_on_the_wire(cls, value: str) -> str:
        return value.removeprefix("interactions:")  # the agents' files use this prefix

    def rule(self, verdict: Verdict) -> Rule | None:
        """Returns the rule for an unsafe verdict; None if the verdict is safe."""
        return None if verdict.is_safe else getattr(self.categories, verdict.category)

    def action(self, verdict: Verdict) -> Action:
        """Returns what to do with the text that was judged."""
        rule = self.rule(verdict)
        return rule.action if rule and verdict.confidence >= rule.threshold else "pass"


def load_policy(root: Path) -> Policy:
    """Loads the policy beside the root agent's file; without such a file, moderation is off.

    Raises:
        ConfigError: the file is wrong; the text has one finding per line, with file and key.
    """
    path = _policy_file(root)
    if path is None:
        return Policy()
    if path.name == FORMER_NAME:
        log.warning("%s: please rename this file to %s; the next release reads only that", path, FILE_NAME)
    document = read_yaml(path)
    if document.data is None:  # a write that was cut short must not switch moderation off
        raise ConfigError(f"{path}:1: the file is empty: write a policy, or delete the file to switch moderation off")
    try:
        policy = Policy.model_validate(document.data)
    except ValidationError as error:
        lines = [document.line(each["loc"]) for each in error.errors()]
        found = [f"{path}:{line}: {_finding(error, i)}" for i, line in enumerate(lines)]
        raise ConfigError("\n".join(found)) from None
    if misfits := list(capability_errors(policy.model, "model", [], schema=True)):
        raise ConfigError("\n".join(f"{path}:{document.line(('model',))}: {misfit}" for misfit in misfits))
    return policy


def _policy_file(root: Path) -> Path | None:
    """Returns the policy's file beside the root agent's file; None if there is none."""
    files = (root.with_name(name) for name in (FILE_NAME, FORMER_NAME))
    return next((file for file in files if file.exists()), None)


def policy_warnings(root: Path) -> list[str]:
    """Returns warnings about the policy beside the root agent's file: two files, nothing judged, unknown model."""
    policy, path, found = load_policy(root), _policy_file(root), list[str]()
    former = root.with_name(FORMER_NAME)
    if path and path.name == FILE_NAME and former.exists():
        found.append(f"{former}: not read, because {FILE_NAME} is there too: delete one of the two")
    if policy.enabled and not policy.screen:
        found.append(f"{path}: `enabled: true` and `screen: []`: nothing is judged; list user_messages, reports")
    if capabilities_of(policy.model) is None:
        found.append(f"{path}: `model`: `{policy.model}` is not in models.yaml, so it is not checked")
    return found


def load_instruction(root: Path) -> str:
    """Reads the instruction of the moderator among the root agent's sub-agents, without loading any agent.

    Raises:
        ConfigError: there is no moderator with an instruction.
    """
    for path in config_files(root):
        data = read_mapping(path) or {}
        if str(data.get("agent_class", "")).endswith(".Moderator") and isinstance(data.get("instruction"), str):
            return str(data["instruction"])
    raise ConfigError(f"{root}: no moderator with an instruction among its agents; the gate judges by that instruction")


def _finding(error: ValidationError, index: int) -> str:
    entry = error.errors(include_url=False)[index]
    key = ".".join(map(str, entry["loc"]))
    if entry["type"] != "extra_forbidden":
        return f"{f'`{key}`' if key else 'the file'}: {explain(entry)}"
    known = [name for model in (Policy, Categories, Rule) for name in model.model_fields]
    hint = did_you_mean(str(entry["loc"][-1]), known) or f"; known keys: {', '.join(known)}"
    return f"unknown key `{key}`{hint}"
