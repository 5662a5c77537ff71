"""Sends notices with Apprise, which is synchronous and chooses its connections itself.

A guard watches its thread: it may connect to public addresses only, unless the target is private, and runs no command.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from tools.extras import install_command
from tools.research.notices.event import Event
from tools.research.notices.targets import Target, TargetError
from tools.web_addresses.public_address import is_public, is_public_ip

if TYPE_CHECKING:
    import apprise

    from tools.research.notices.message import Message

_NOTIFY_TYPES: Mapping[str, str] = {
    Event.COMPLETED: "success",
    Event.FAILED: "failure",
    Event.EXPIRED: "failure",
    Event.STALLED: "warning",
}
"""Apprise's types of notification, which choose colours and icons; `info` for all other events."""
_COMMANDS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork")
_UNGUARDED = ("mqtt", "mqtts", "xmpp", "xmpps")
"""Services that connect in threads of their own, where addresses cannot be checked."""
_LOGGERS = ("apprise", "urllib3.connectionpool", "urllib3.util.retry")
"""Loggers whose records may contain the address; they are collected, not logged."""


@dataclass
class _Guard:
    """The permissions of a thread of Apprise, and the warnings that it logged."""

    private: bool
    said: list[str] = field(default_factory=list)


_guard: ContextVar[_Guard | None] = ContextVar("guard", default=None)


class _Forbidden(PermissionError):
    """Apprise tried to connect to a private address, or to run a command."""


def check_url(target: Target) -> None:
    """Checks a URL of Apprise, without a connection.

    Raises:
        TargetError: Apprise is missing or cannot use the URL, or the URL names this machine or a host of a private
            network.
    """
    service = _guarded(_Guard(target.private), lambda: _service(target))
    named = any("{host}" in template for template in service.templates)
    host = str(getattr(service, "host", None) or "") if named else ""
    # A name without a dot may be a topic or a token: the guard checks where it leads to.
    spelled = host == "localhost" or host.isdigit() or "." in host or ":" in host
    if spelled and not target.private and not is_public(f"https://{f'[{host}]' if ':' in host else host}/"):
        raise TargetError("url", "the host of `url` is in a private network: `private: true` allows it")


async def send(target: Target, message: Message) -> str:
    """Sends a message. Returns why it failed; empty if it was sent.

    It runs in a thread, which goes on if this call is cancelled, but does not keep the process alive.
    """
    guard = _Guard(target.private)
    sent = await _in_daemon_thread(lambda: _guarded(guard, lambda: _notify(target, message)))
    return "" if sent else " ".join(guard.said) or "the service did not take it"


def _notify(target: Target, message: Message) -> bool:
    from apprise import Apprise, NotifyFormat, NotifyType

    sender = Apprise(_service(target), asset=_asset())
    notify_type = NotifyType(_NOTIFY_TYPES.get(message.event, "info"))
    text = f"{message.text}\n\n{message.id}"
    return bool(sender.notify(title=message.title, body=text, notify_type=notify_type, body_format=NotifyFormat.TEXT))


def _service(target: Target) -> apprise.NotifyBase:
    """The service of a URL.

    Raises:
        TargetError: Apprise cannot use the URL, or the service is this machine and the target is not private.
    """
    from apprise import Apprise
    from apprise.plugins import N_MGR

    scheme, colon, _ = target.url.partition("://")
    if not colon or scheme.lower() not in N_MGR:
        if not colon:
            raise TargetError("url", "`url` has no scheme: write https://HOST/PATH for a webhook, or a URL of Apprise")
        raise TargetError(
            "url", f"Apprise has no service `{scheme}://`: its pages list the URLs (appriseit.com/services)"
        )
    if "{schema}://" in N_MGR[scheme.lower()].templates and not target.private:  # without host or account
        raise TargetError("url", f"`{scheme}://` sends notices to this machine itself: `private: true` allows it")
    if scheme.lower() in _UNGUARDED and not target.private:
        raise TargetError("url", f"where `{scheme}://` connects cannot be checked: `private: true` allows it")
    service = Apprise.instantiate(target.url, asset=_asset())
    if service is None:
        raise TargetError(
            "url", f"Apprise cannot use this URL of `{scheme}://`: compare it with its page on that service"
        )
    return service


@cache
def _asset() -> apprise.AppriseAsset:
    """Settings of Apprise: no redirects, and no thread pool, which would delay the end of the process."""
    from apprise import AppriseAsset

    return AppriseAsset(app_id="Research Desk", http_redirects=False, service_timeout=0, async_mode=False)


def _guarded(guard: _Guard, work: Callable[[], Any]) -> Any:
    """Does work of Apprise under a guard.

    Raises:
        TargetError: Apprise is missing.
    """
    _install()

    def run() -> Any:
        _guard.set(guard)
        return work()

    return copy_context().run(run)


@cache
def _install() -> None:
    """Loads Apprise, and watches connections and commands (https://docs.python.org/3/library/audit_events.html)."""
    try:
        from apprise.plugins import N_MGR
    except ImportError:
        raise TargetError("url", f"notices by Apprise need one more package: {install_command('notices')}") from None
    _ = "json" in N_MGR  # loads all services before the guard: some run a command to find a library
    sys.addaudithook(_audit)
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_collect)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in ("socket.connect", "socket.sendto", *_COMMANDS) or (guard := _guard.get()) is None:
        return
    if event in _COMMANDS:
        guard.said.append("it wants to run a command, which is not allowed.")
        raise _Forbidden("no commands")
    address = arguments[1]
    if guard.private or (isinstance(address, tuple) and is_public_ip(str(address[0]))):
        return
    named = isinstance(address, tuple) and is_public(f"https://{address[0]}/")  # the socket would look it up unwatched
    why = "it gives the system a name, not an address" if named else "its address is in a private network"
    guard.said.append(f"{why}, which needs `private: true`.")
    raise _Forbidden("a private address")


def _collect(record: logging.LogRecord) -> bool:
    guard = _guard.get()
    if guard and record.levelno >= logging.WARNING:
        guard.said.append(record.getMessage())
    return guard is None


async def _in_daemon_thread(work: Callable[[], Any]) -> Any:
    """Runs work in a thread that does not keep the process alive, unlike the threads of `asyncio.to_thread`."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if not done.done():
            done.set_exception(error) if error else done.set_result(result)

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except Exception as raised:
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="apprise", daemon=True).start()
    return await done
