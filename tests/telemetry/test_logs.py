"""Logs: an object a line in Cloud Logging's words, without contents and keys."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from google.adk.cli.utils.logs import setup_adk_logger
from opentelemetry import trace

from tests.telemetry.conftest import Recorded
from tools.research.job import new_job
from tools.research.order import Order
from tools.research.telemetry import follow_span
from tools.telemetry import setup_logging

KEY = "a-key-of-no-known-shape"
JOB = new_job(Order("brief", "ada", "s1", "deep-research"), 0)


@pytest.fixture(autouse=True)
def restore_loggers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loggers are the process's: they are put back."""
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("DESK_DATABASE_URL", "postgresql+asyncpg://desk:pa55word@db/desk")
    loggers = [logging.getLogger(name) for name in (None, "google_adk", "httpx", "httpx2", "tools")]
    kept = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, level, handlers in kept:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def entries(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_log_record_is_a_json_object_with_its_trace_and_job(
    recorded: Recorded, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
    setup_logging(json=True, contents=False)
    with follow_span(JOB):
        span = trace.get_current_span().get_span_context()
        logging.getLogger("tools.research.worker").warning("it is\nslow")
    (entry,) = entries(capsys)
    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "severity": "WARNING",
        "logger": "tools.research.worker",
        "message": "it is\nslow",
        "job": JOB.id,
        "logging.googleapis.com/trace": f"projects/my-project/traces/{span.trace_id:032x}",
        "logging.googleapis.com/spanId": f"{span.span_id:016x}",
        "logging.googleapis.com/trace_sampled": True,
    }


def test_a_log_record_that_names_a_job_carries_the_job_id(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(json=True, contents=False)
    logging.getLogger("tools.x").info("%s was orphaned and is resumed", JOB.id)
    (entry,) = entries(capsys)
    assert (entry["job"], "logging.googleapis.com/trace" in entry) == (JOB.id, False)


@pytest.mark.parametrize("json_lines", [True, False])
def test_prompts_urls_and_exception_messages_are_not_logged(
    json_lines: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    setup_logging(json=json_lines, contents=False)
    setup_adk_logger(logging.DEBUG)  # as `--log_level debug` does
    logging.getLogger("google_adk.models").debug("LLM Request: my PROMPT")
    logging.getLogger("google_adk.runners").info("User > my PROMPT")
    for library in ("httpx", "httpx2"):
        logging.getLogger(library).info("HTTP Request: POST https://example.org/PROMPT")
    logging.getLogger("tools.x").debug("my PROMPT")
    words = "for the PROMPT"
    try:
        try:
            raise ValueError(words)
        except ValueError as error:
            raise RuntimeError(words) from error
    except RuntimeError:
        logging.getLogger("tools.x").exception("it failed")
    said = capsys.readouterr().err
    assert "PROMPT" not in said
    assert "it failed" in said
    assert "builtins.ValueError" in said
    assert "builtins.RuntimeError" in said


@pytest.mark.parametrize("contents", [True, False])
@pytest.mark.parametrize("json_lines", [True, False])
def test_secrets_are_masked_in_every_log_record(
    json_lines: bool, contents: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_WEBHOOK_SECRETS", "plain+SECRET5,whsec_SECRET6")
    setup_logging(json=json_lines, contents=contents)
    log = logging.getLogger("tools.x")
    log.warning("%s, %s, %s", "plain+SECRET5", "whsec_SECRET6", "whsec_SECRET7=")
    log.warning("%s; %s", KEY, "https://example.org/v1?key=SECRET1&alt=sse")
    log.warning("Authorization: Bearer SECRET2; AIzaSySECRET3SECRET3SECRET3SECRET3SECRE")
    log.warning("cannot connect to postgresql://desk:SECRET4@db.example.org/desk")
    try:
        raise ValueError(f"SECRET-free but for {KEY} and pa55word@")
    except ValueError:
        log.exception("postgresql+asyncpg://desk:pa55word@db/desk")
    said = capsys.readouterr().err
    assert said.count("***") >= 5
    for secret in (KEY, "SECRET1", "SECRET2", "SECRET3", "SECRET4", "SECRET5", "SECRET6", "SECRET7", "desk:pa55word"):
        assert secret not in said
    assert "alt=sse" in said
    assert "db.example.org" in said


def test_contents_are_logged_when_enabled(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(json=True, contents=True)
    setup_adk_logger(logging.DEBUG)
    logging.getLogger("google_adk.models").debug("LLM Request: my PROMPT")
    assert "my PROMPT" in next(entry["message"] for entry in entries(capsys))
