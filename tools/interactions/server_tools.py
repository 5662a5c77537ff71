"""Server-side tools: the entries of `server_tools` in an agent's YAML, and their wire format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tools.yaml_files.environment_references import VARIABLE, substituted


class _Tool(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str

    def wire(self, env: Mapping[str, str]) -> dict[str, Any]:
        """Returns the tool in wire format, with each `${VARIABLE}` replaced by its value in `env`.

        Raises:
            KeyError: a variable is not set.
        """
        return self.model_dump(exclude_none=True, exclude_defaults=True) | {"type": self.type}

    def variables(self) -> Iterator[str]:
        """Yields the names of the environment variables that the tool needs."""
        return iter(())


class GoogleSearch(_Tool):
    """Searches the web and cites its sources."""

    type: Literal["google_search"]
    search_types: list[Literal["web_search", "image_search", "enterprise_web_search"]] = []


class UrlContext(_Tool):
    """Reads the web pages whose addresses are in a message."""

    type: Literal["url_context"]


class CodeExecution(_Tool):
    """Writes and runs Python."""

    type: Literal["code_execution"]


class FileSearch(_Tool):
    """Searches uploaded files and cites its sources."""

    type: Literal["file_search"]
    file_search_store_names: list[Annotated[str, Field(pattern=r"^fileSearchStores/[a-z0-9-]+$")]] = Field(min_length=1)
    """For example "fileSearchStores/handbook"."""
    top_k: int | None = Field(default=None, gt=0)
    metadata_filter: str | None = None


class GoogleMaps(_Tool):
    """Finds places on Google Maps and cites its sources."""

    type: Literal["google_maps"]
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    enable_widget: bool | None = None


class McpServer(_Tool):
    """A remote MCP server, whose tools Google's server calls."""

    type: Literal["mcp_server"]
    name: str = Field(pattern=r"^\w+$")
    url: str = Field(pattern=r"^https?://")
    headers: dict[str, str] = {}
    """HTTP headers. A value may contain `${VARIABLE}`: put secrets into environment variables."""
    allowed_tools: list[str] = []
    """Names of the allowed tools; if it is empty, all tools are allowed."""

    def wire(self, env: Mapping[str, str]) -> dict[str, Any]:
        """Returns the tool in wire format."""
        sent = super().wire(env)
        if self.headers:
            sent["headers"] = {name: substituted(value, env) for name, value in self.headers.items()}
        if self.allowed_tools:
            sent["allowed_tools"] = [{"tools": self.allowed_tools}]
        return sent

    def variables(self) -> Iterator[str]:
        """Yields the names of the environment variables that the tool needs."""
        for value in self.headers.values():
            yield from VARIABLE.findall(value)


class ComputerUse(_Tool):
    """Always refused: the desk has no browser or desktop to control."""

    type: Literal["computer_use"]

    @model_validator(mode="after")
    def _refuse(self) -> ComputerUse:
        raise ValueError("it controls a browser or a desktop, and the desk has neither")


ServerTool = Annotated[
    GoogleSearch | UrlContext | CodeExecution | FileSearch | GoogleMaps | McpServer | ComputerUse,
    Field(discriminator="type"),
]
