"""The settings of research in the researcher's YAML, such as models and limits. Builds orders from briefs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from tools.errors import DeskError
from tools.interactions.server_tools import ServerTool
from tools.research.notices.targets import Target
from tools.research.order import Order
from tools.research.pricing import cost_of
from tools.research.quotas import Quotas
from tools.settings import MAX_ATTACH_S, load_settings
from tools.text.did_you_mean import did_you_mean
from tools.yaml_files.field_errors import explain
from tools.yaml_files.reading import ConfigError, config_files, read_mapping, read_yaml


class StorageForbidden(DeskError):
    """`store: false` forbids research, because the server has to keep the interactions of a run."""


class UnknownTarget(DeskError):
    """There is no target of notices with that name."""


_BARE = AfterValidator(lambda name: name.removeprefix("interactions:"))
ModelName = Annotated[str, Field(min_length=1), _BARE]
"""The name of a model or an agent in the API. The prefix that `model` has is allowed."""


class ResearchSettings(BaseModel):
    """The agents, models, limits and tools of research runs."""

    agent: ModelName
    """Name of the Deep Research agent."""
    max_agent: Annotated[str, _BARE] = ""
    """Name of the more expensive agent, used if the user asks for it and agrees; empty: there is none."""
    follow_up_model: ModelName
    """Name of the model that answers questions about a finished report."""
    plan_first: bool = False
    """Whether each run needs an approved plan first."""
    ask_above_usd: float = Field(default=0.0, ge=0, strict=True, allow_inf_nan=False)
    """A run whose highest price is above this many USD is asked about first. With 0, each run is."""
    thinking_summaries: Literal["auto", "none"] = "auto"
    visualization: Literal["auto", "off"] = "auto"
    attach_seconds: float = Field(default=240.0, gt=0, le=MAX_ATTACH_S, strict=True, allow_inf_nan=False)
    """A turn watches a run for at most this many seconds. Then the turn ends, and the run continues."""
    limits: Quotas = Quotas()
    research_tools: Sequence[ServerTool] = ()
    """Tools of Deep Research besides the web: uploaded files, remote MCP servers."""
    report_formats: Sequence[Literal["pdf", "docx", "epub"]] = ("pdf",)
    """Documents for a conversation, besides the Markdown, HTML and JSON of a report, with the extra `documents`."""
    notify: Mapping[Annotated[str, Field(pattern=r"^[\w-]+$")], Target] = {}
    """Targets that get notices about runs, by name."""
    verify: bool = False
    """Whether the sources of each report are checked after its run; see `tools.research.verification`."""
    verify_archive: bool = True
    """Whether the Internet Archive is asked for copies of dead pages."""
    store: bool = True
    """Whether the server may keep interactions. If not, no run is started and no model is asked about a report."""

    def need_storage(self) -> None:
        """Checks that the server may keep interactions. Call it before each request that stores one.

        Raises:
            StorageForbidden: the server may not keep them.
        """
        if not self.store:
            raise StorageForbidden(
                "Deep Research runs in the background, which needs its interactions kept at the server, and"
                " `store: false` in the researcher's YAML forbids that: nothing was sent. Set `store: true` there to"
                " research or to ask about a report; status, list, report, cancel and forget work as ever."
            )

    def asks(self, order: Order) -> bool:
        """Whether a run needs a yes to its price first. `DESK_ASK_ABOVE_USD` overrides `ask_above_usd`."""
        limit = load_settings().ask_above_usd
        return cost_of(order.agent)[1] > (self.ask_above_usd if limit is None else limit)

    def target(self, name: str) -> Target:
        """Returns the target of notices with that name.

        Raises:
            UnknownTarget: there is no target of that name. The message does not repeat what looks like an address.
        """
        if name in self.notify:
            return self.notify[name]
        if ":" in name:
            raise UnknownTarget(
                "give the name of a target, because an address may be secret: write the address under `notify:` in YAML"
            )
        known = f"; known are {', '.join(self.notify)}" if self.notify else ""
        raise UnknownTarget(
            f"`notify:` in the researcher's YAML has no target `{name}`{did_you_mean(name, [*self.notify])}{known}"
        )

    def order(
        self,
        brief: str,
        *,
        user: str,
        session: str,
        inputs: Sequence[dict[str, Any]] = (),
        use_max: bool = False,
        plan: bool = False,
        title: str = "",
        notify: Sequence[str] = (),
    ) -> Order:
        """Builds the order for a brief.

        Args:
            use_max: whether to use `max_agent`, if there is one.
            plan: whether the run needs an approved plan first, even if `plan_first` is false.
            notify: names of the targets that get notices; if it is empty, all targets get them.
        """
        options: dict[str, Any] = {
            "thinking_summaries": self.thinking_summaries,
            "visualization": self.visualization,
        }
        if plan or self.plan_first:
            options["collaborative_planning"] = True
        agent = self.max_agent if use_max and self.max_agent else self.agent
        inputs = tuple(inputs)
        return Order(
            brief=brief,
            user=user,
            session=session,
            agent=agent,
            options=options,
            inputs=inputs,
            title=title,
            notify=tuple(notify or self.notify),
        )


def research_settings() -> ResearchSettings:
    """Reads the researcher's settings of this process again, and returns them.

    Raises:
        ConfigError: see `load_research_settings`.
    """
    return load_research_settings(load_settings().config)


def load_research_settings(root: Path) -> ResearchSettings:
    """Finds the researcher among the agents of a root file, and returns its settings. Creates no agent.

    Args:
        root: the root agent's YAML file.

    Raises:
        ConfigError: there is no researcher, or its file is not valid.
    """
    for path in config_files(root):
        data = read_mapping(path) or {}
        if str(data.get("agent_class", "")).endswith(".Researcher"):
            try:
                return ResearchSettings.model_validate(data)
            except ValidationError as error:
                document = read_yaml(path)
                found = [(e["loc"], f"`{'.'.join(map(str, e['loc']))}`: {explain(e)}") for e in error.errors()]
                raise ConfigError("\n".join(f"{path}:{document.line(loc)}: {text}" for loc, text in found)) from None
    raise ConfigError(f"{root}: no researcher among its agents")
