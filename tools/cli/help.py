"""Help: commands in groups, and `desk help TOPIC`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from tools.cli.terminal import show_markdown
from tools.text.did_you_mean import nearest

GROUPS = {
    "Talk": ("ask", "sessions", "forget-session", "moderate"),
    "Research": (
        "research", "jobs", "status", "attach", "approve", "cancel", "follow-up", "report", "verify", "diff",
        "schedule", "schedules", "run-due", "forget", "spending", "interaction", "board",
    ),
    "Set up": ("demo", "init", "check", "doctor", "test-notice", "help"),
    "Run": ("serve", "work", "mcp", "emulator", "eval"),
}  # fmt: skip
TOPICS = Path(__file__).with_name("topics")


class Command(TyperCommand):
    """A command that refuses an empty value, such as the value of an unset shell variable."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the command line. Raises `typer.BadParameter` if a value is empty."""
        rest = super().parse_args(ctx, args)
        for param in self.params:
            source, value = ctx.get_parameter_source(param.name), ctx.params.get(param.name)
            values = value if isinstance(value, list | tuple) else [value]
            if source and source.name == "COMMANDLINE" and any(isinstance(v, str) and not v.strip() for v in values):
                step = "write a value" if param.required else "write a value, or leave it out"
                raise typer.BadParameter(f"it is empty: {step}", ctx=ctx, param=cast(Any, param))
        return rest


class CommandGroups(TyperGroup):
    """Lists the commands in groups. Typer does that only with rich markup, which doubles the time of `desk --help`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the options before the command. The message about an option of a command says where to write it."""
        try:
            return super().parse_args(ctx, args)
        except TyperException as error:
            commands = [self.get_command(ctx, name) for name in self.list_commands(ctx)]
            _say_place(error, commands, "after the command: `desk COMMAND {option}`")
            raise

    def invoke(self, ctx: Any) -> Any:
        """Runs the command. Removes "Value error, ", a prefix of pydantic's, from the message about a wrong value."""
        try:
            return super().invoke(ctx)
        except TyperException as error:
            if isinstance(error, typer.BadParameter):
                error.message = error.message.removeprefix("Value error, ")
            _say_place(error, [self], "before the command: `desk {option} " + f"{ctx.invoked_subcommand} …`")
            raise

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes one section for each group."""
        known = {name: command for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))}
        width = max(map(len, known))
        for title, names in GROUPS.items():
            rows = [(name.ljust(width), known[name].get_short_help_str(120)) for name in names if name in known]
            with formatter.section(title):
                formatter.write_dl(rows)


def _say_place(error: Any, commands: Iterable[Any], place: str) -> None:
    """Says where to write an unknown option if one of these commands knows it."""
    option = getattr(error, "option_name", None)
    if option and any(option in param.opts for command in commands for param in command.params):
        error.message, error.possibilities = f"{option} is written {place.format(option=option)}", None


def topics() -> list[str]:
    """The names of the help topics."""
    return sorted(path.stem for path in TOPICS.glob("*.md"))


def show_help(
    context: typer.Context,
    topic: Annotated[str, typer.Argument(metavar="TOPIC|COMMAND", help="What to explain.")] = "",
) -> None:
    """Explain a topic or a command."""
    root = context.find_root()
    group = cast(TyperGroup, root.command)
    command = group.get_command(root, topic)
    if not topic:
        typer.echo(root.get_help())
        typer.echo(f"\nTopics: {', '.join(topics())}. Say `desk help TOPIC`.")
    elif topic in topics():  # first, because the options of `desk emulator` are not known here
        show_markdown((TOPICS / f"{topic}.md").read_text())
    elif command:
        typer.echo(command.get_help(typer.Context(command, info_name=topic, parent=root)))
    else:
        begun = next((name for name in topics() if name.startswith(topic)), "")
        near = nearest(topic, [*topics(), *group.list_commands(root)]) or begun
        meant = f", did you mean `desk help {near}`?" if near else ""
        raise typer.BadParameter(f"there is no topic or command {topic!r}{meant}; topics are {', '.join(topics())}")
