"""What may be a target of notices, and what a notice contains."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook
from typer.testing import CliRunner

from tests.conftest import ROOT, Later
from tests.notices.conftest import PATH, SECRET, Configure, Receiver, hook
from tests.ports import free_port
from tools.cli.app import app
from tools.extras import install_command
from tools.research.notices import apprise_sender
from tools.research.notices.message import sample_message
from tools.research.notices.sender import send
from tools.research.notices.target_checks import resolve_target
from tools.research.notices.targets import Target, TargetError
from tools.research.notices.timeouts import SEND_TIMEOUT_S

PUBLIC = "8.8.4.4"
BEFORE = len((ROOT / "configs" / "researcher.yaml").read_text().splitlines()) + 1
"""The line of `notify:`."""
HELLO = sample_message("notice_1", "hook", 1_790_000_000.0)


def checked(yaml: str, configure: Configure) -> str:
    """What `desk check` says about a configuration."""
    configure(yaml)
    return " ".join(CliRunner().invoke(app, ["check"]).output.split())


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["url: https://a.example/hook"], "researcher.yaml:+2: a webhook needs a `secret`"),
        (["url: https://a.example/", "secret: whsec_!"], "researcher.yaml:+3: `secret` is not a signing secret"),
        (["url: https://a.example/", "secret: ${NOBODY}"], "researcher.yaml:+3: `secret` needs NOBODY: set it"),
        (
            ["url: https://a.example/", "secret: $NOBODY"],
            "`$NOBODY` is not replaced by a variable's value: write `${NA",
        ),
        (["url: https:///hook", "secret: ${HOOK_SECRET}"], "researcher.yaml:+2: `url` is not the address of a webhook"),
        (
            ["url: http://a.example/", "secret: ${HOOK_SECRET}"],
            "researcher.yaml:+2: a webhook goes to a public https://",
        ),
        (["url: slak://a/b/c"], "researcher.yaml:+2: Apprise has no service `slak://`"),
        (["url: a.example"], "researcher.yaml:+2: `url` has no scheme: write https://HOST/PATH"),
        (["url: slack://a"], "researcher.yaml:+2: Apprise cannot use this URL of `slack://`"),
        (["url: gotify://localhost/${HOOK_PATH}"], "researcher.yaml:+2: the host of `url` is in a private network"),
        (["url: json://a.example", "events: [complete]"], "researcher.yaml:+3: `events`: Input should be 'price'"),
        (
            ["url: json://a.example", "content: true"],
            "researcher.yaml:+3: unknown key `content`, did you mean `contents`",
        ),
        (["url: json://a.example", "events: []"], "researcher.yaml:+3: `events`: "),
        (["events: [plan]"], "researcher.yaml:+1: `url` is missing"),
    ],
)
def test_a_target_that_cannot_be_used_is_reported_with_file_and_line(
    lines: list[str], words: str, configure: Configure
) -> None:
    said = checked("notify:\n  ops:\n" + "".join(f"    {line}\n" for line in lines), configure)
    assert re.sub(r":\+(\d)", lambda found: f":{BEFORE + int(found[1])}", words) in said
    assert PATH not in said and SECRET not in said


def test_a_missing_package_is_named_before_a_run_is_paid_for(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise.plugins", None)
    monkeypatch.setattr(apprise_sender, "_install", apprise_sender._install.__wrapped__)
    said = checked("notify:\n  ops:\n    url: json://a.example\n", configure)
    assert (
        f"researcher.yaml:{BEFORE + 2}: notices by Apprise need one more package: {install_command('notices')}" in said
    )


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:10.0.0.1]", "[fe80::1]", "10.1.2.3", "localhost",
     "desk.internal", "169.254.169.254", "１２７.0.0.1",
     "192.0.0.192", "192.88.99.1", "[3fff::1]"],
)  # fmt: skip
async def test_a_private_address_is_refused_in_every_spelling_and_by_every_sender(host: str) -> None:
    with pytest.raises(TargetError, match="public https://"):
        resolve_target(Target(url=f"https://{host}/hook", secret=SECRET), {})
    try:
        resolve_target(Target(url=f"json://{host}/hook"), {})
    except TargetError:
        return
    raise AssertionError("Apprise may connect there")


@pytest.mark.parametrize("rest", ["", "daemon", "_/?format=text"])
@pytest.mark.parametrize(
    "scheme", ["blink1", "dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "SysLog", "windows"]
)
def test_a_service_of_this_machine_is_refused_like_a_private_address(scheme: str, rest: str) -> None:
    with pytest.raises(TargetError, match="this machine itself: `private: true` allows it"):
        resolve_target(Target(url=f"{scheme}://{rest}"), {})
    assert resolve_target(Target(url="syslog://", private=True), {})


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts", "xmpp", "XMPPS"])
def test_a_service_whose_connections_cannot_be_watched_needs_permission(scheme: str) -> None:
    with pytest.raises(TargetError, match="cannot be checked: `private: true` allows it"):
        resolve_target(Target(url=f"{scheme}://user:password@a.example/topic"), {})


@pytest.mark.parametrize("addresses", [["10.0.0.1"], [PUBLIC, "127.0.0.1"], ["::ffff:10.0.0.1"]])
async def test_a_webhook_to_a_name_that_leads_into_a_private_network_is_never_sent(
    addresses: list[str], receiver: Receiver
) -> None:
    async def look_up(host: str) -> list[str]:
        return addresses

    target = resolve_target(Target(url=f"https://a.example:{receiver.port}/", secret=SECRET), {})
    assert await send(target, HELLO, look_up) == "its host is in a private network"
    assert receiver.asked == []


async def test_a_webhook_connects_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[httpx2.Request] = []

    async def look_up(host: str) -> list[str]:
        return [PUBLIC]

    async def answer(self: object, request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200)

    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", answer)
    assert await send(resolve_target(Target(url="https://a.example/hook", secret=SECRET), {}), HELLO, look_up) == ""
    (request,) = sent
    assert request.url == f"https://{PUBLIC}/hook"
    assert (request.headers["host"], request.extensions["sni_hostname"]) == ("a.example", "a.example")


async def test_apprise_never_connects_to_a_private_address_that_a_name_leads_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", receiver.port))],
    )
    said = await send(resolve_target(Target(url=f"json://a.example:{receiver.port}/"), {}), HELLO)
    assert "its address is in a private network, which needs `private: true`" in said
    assert receiver.asked == []
    assert await send(resolve_target(Target(url=f"json://a.example:{receiver.port}/", private=True), {}), HELLO) == ""
    assert len(receiver.others) == 1


def test_apprise_sends_nothing_to_a_name_that_is_not_an_address() -> None:
    guard = apprise_sender._Guard(private=False)
    with pytest.raises(PermissionError):  # as `rsyslog://` does; the name may lead into a private network
        apprise_sender._guarded(guard, lambda: sys.audit("socket.sendto", None, ("a.example", 514)))
    assert guard.said == ["it gives the system a name, not an address, which needs `private: true`."]


async def test_apprise_runs_no_command() -> None:
    guard = apprise_sender._Guard(private=True)
    with pytest.raises(PermissionError):
        apprise_sender._guarded(guard, lambda: subprocess.run(["true"], check=False))
    assert guard.said == ["it wants to run a command, which is not allowed."]


@pytest.mark.parametrize("scheme", ["http", "json"])
async def test_a_redirect_of_a_receiver_is_not_followed(scheme: str, receiver: Receiver) -> None:
    receiver.status = 307
    target = resolve_target(Target(url=f"{scheme}://127.0.0.1:{receiver.port}/hook", secret=SECRET, private=True), {})
    assert "307" in await send(target, HELLO)
    assert receiver.asked == ["/hook"]


@pytest.mark.parametrize("scheme", ["http", "json"])
async def test_a_receiver_that_never_answers_is_left_after_the_time_limit(
    scheme: str, receiver: Receiver, later: Later
) -> None:
    receiver.hangs = threading.Event()
    target = resolve_target(Target(url=f"{scheme}://127.0.0.1:{receiver.port}/", secret=SECRET, private=True), {})
    sending = asyncio.create_task(send(target, HELLO))
    while not receiver.asked:
        await asyncio.sleep(0.001)
    later(SEND_TIMEOUT_S)
    assert await sending == "no answer in 10 seconds"


async def test_a_mail_has_the_text_and_the_id_of_its_notice(letters: tuple[int, list[str]]) -> None:
    port, got = letters
    url = f"mailto://127.0.0.1:{port}?from=desk@a.example&to=ada@a.example&mode=insecure&format=text"
    assert await send(resolve_target(Target(url=url, private=True), {}), HELLO) == ""
    (mail,) = got
    assert "Subject: Research Desk: test" in mail
    assert "This is a test of the target hook." in mail and "notice_1" in mail


async def test_the_error_of_a_service_shows_no_part_of_its_address(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    receiver.status = 404
    target = Target(url=f"json://ada:hush-hush@127.0.0.1:{receiver.port}/${{X}}/?rto=9", private=True)
    said = await send(resolve_target(target, {"X": "a/told-to-nobody"}), HELLO)
    assert "404" in said
    url = f"json://ada:hush-hush@127.0.0.1:{free_port()}/told-to-nobody"
    unreachable = resolve_target(Target(url=url, private=True), {})
    refusal = await send(unreachable, HELLO)
    assert "Connection error" in refusal and "127.0.0.1" not in refusal
    for secret in ("hush-hush", "told-to-nobody"):
        assert secret not in said + caplog.text + repr(target)


def test_a_test_notice_says_what_happened(receiver: Receiver, configure: Configure) -> None:
    configure("notify:\n" + hook(receiver))

    def run(name: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["test-notice", name])
        return result.exit_code, " ".join(result.output.split())

    assert run("hook")[0] == 0
    ((notice_id, body),) = receiver.webhooks
    assert (body["type"], body["data"], notice_id in run("hook")[1]) == ("research.test", {"target": "hook"}, False)
    receiver.status = 410
    status, said = run("hook")
    assert status == 1 and said.endswith("was not sent to hook: it answered 410")
    assert run("hok") == (
        1,
        "error: `notify:` in the researcher's YAML has no target `hok`, did you mean `hook`?; known are hook",
    )
    assert "an address may be secret" in run("https://user:pass@a.example")[1]


def test_the_receiver_in_the_documentation_verifies_a_message() -> None:
    page = (ROOT / "docs" / "notices.md").read_text()
    (snippet,) = [code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "Webhook(" in code]
    body, now = json.dumps(HELLO.webhook()), datetime.now(UTC)
    headers = {
        "webhook-id": HELLO.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(HELLO.id, now, body),
    }
    scope: dict[str, Any] = {}
    os.environ["HOOK_SECRET"] = SECRET
    exec(compile(snippet, "notices.md", "exec"), scope)
    assert scope["verified"](body.encode(), headers) == json.loads(body)
