"""What YAML says of a researcher: models, limits, and how an order is made of a brief."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tools.errors import DeskError
from tools.interactions.server_tools import ServerTool
from tools.research.job import Order
from tools.yaml_files import ConfigError, config_files, read_mapping


class Quotas(BaseModel):
    """What one user may start."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_once: int = Field(default=3, gt=0)
    per_day: int = Field(default=20, gt=0)
    usd_per_day: float = Field(default=60.0, gt=0)
    """Counted by the upper end of each run's estimate."""
    plans_per_job: int = Field(default=5, gt=0)
    """Plans and revised plans before a run."""


class StorageForbidden(DeskError):
    """Nothing may be kept at the server, and a research has to be."""


class ResearchSettings(BaseModel):
    """What a research is done with."""

    agent: str
    """Name of the Deep Research agent."""
    max_agent: str = ""
    """Name of the dearer one, used when asked for and agreed to; empty: there is none."""
    follow_up_model: str
    """Name of the model that answers questions about a finished report."""
    plan_first: bool = False
    """Whether a plan is shown, and waited for, before each research."""
    ask_above_usd: float = Field(default=0.0, ge=0)
    """A run whose upper price is at most this many USD starts without a question; 0: no run does."""
    thinking_summaries: Literal["auto", "none"] = "auto"
    visualization: Literal["auto", "off"] = "auto"
    attach_seconds: float = Field(default=240.0, gt=0)
    """How long a turn watches a research before it hands back a handle."""
    limits: Quotas = Quotas()
    research_tools: Sequence[ServerTool] = ()
    """What Deep Research may use besides the web: uploaded files, remote MCP servers."""
    store: bool = True
    """Whether anything may be kept at the server. False: nothing is started and no model is asked about a report."""

    def need_storage(self) -> None:
        """Call before whatever leaves something at the server.

        Raises:
            Private: nothing may be kept there.
        """
        if not self.store:
            raise StorageForbidden(
                "Deep Research runs in the background, which needs its interactions kept at the server, and"
                " `store: false` in the researcher's YAML forbids that: nothing was sent. Set `store: true` there to"
                " research or to ask about a report; status, list, report, cancel and forget work as ever."
            )

    def order(
        self,
        brief: str,
        *,
        user: str,
        session: str,
        inputs: Sequence[dict[str, Any]] = (),
        most: bool = False,
        plan: bool = False,
        title: str = "",
    ) -> Order:
        """A research on `brief`: by Deep Research Max if `most`, with a plan first if wished here or in YAML."""
        options: dict[str, Any] = {
            "thinking_summaries": self.thinking_summaries,
            "visualization": self.visualization,
        }
        if plan or self.plan_first:
            options["collaborative_planning"] = True
        agent = self.max_agent if most and self.max_agent else self.agent
        inputs = tuple(inputs)
        return Order(brief=brief, user=user, session=session, agent=agent, options=options, inputs=inputs, title=title)


def load_research_settings(root: Path) -> ResearchSettings:
    """The settings of the researcher below the root agent's file, without loading any agent.

    Raises:
        ConfigError: there is none, or its file is wrong (`desk check` says where).
    """
    for path in config_files(root):
        data = read_mapping(path) or {}
        if str(data.get("agent_class", "")).endswith(".Researcher"):
            try:
                return ResearchSettings.model_validate(data)
            except ValidationError as error:
                raise ConfigError(f"{path}: {error.error_count()} mistakes; `desk check` says where") from None
    raise ConfigError(f"{root}: no researcher among its agents")
