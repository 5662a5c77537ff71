"""Assertions on what a program asked of the emulator. A failed one says what happened instead."""

from __future__ import annotations

import json
import re
from typing import Any


class Assertions:
    """Assertions of an `Emulator` or a `Scope`. Each raises AssertionError with a sentence."""

    def log(self, *, bodies: bool = False) -> dict[str, Any]:
        """Return the request log."""
        raise NotImplementedError

    def interactions(self, *, steps: bool = False) -> list[dict[str, Any]]:
        """Return the stored interactions."""
        raise NotImplementedError

    def assert_created(self, count: int) -> None:
        """Assert that the emulator has accepted so many create requests since it started."""
        creates = self.log()["creates"]
        assert creates == count, f"{_plural(creates, 'interaction')} created, not {count}: {self._requests()}"

    def assert_created_once(self) -> None:
        """Assert that no two accepted create requests were equal: nothing was paid for twice."""
        seen: dict[str, int] = {}
        for request in self.log(bodies=True)["requests"]:
            if request["kind"] in ("create", "create_stream") and request["interaction_id"] and request["body"]:
                body = {name: value for name, value in request["body"].items() if name != "stream"}
                text = json.dumps(body, sort_keys=True, ensure_ascii=False)
                seen[text] = seen.get(text, 0) + 1
        twice = [f"{count} times {text:.200}" for text, count in seen.items() if count > 1]
        assert not twice, f"equal interactions were created: {'; '.join(twice)}"

    def assert_asked(self, pattern: str) -> None:
        """Assert that a regular expression is found in the input of an interaction."""
        inputs = [interaction["input"] for interaction in self.interactions()]
        assert any(re.search(pattern, text) for text in inputs), f"nothing asked fits {pattern!r}: {inputs}"

    def assert_called(self, name: str, **arguments: Any) -> None:
        """Assert that an answer called a function, with at least these arguments."""
        calls = self._steps("function_call")
        found = any(call["name"] == name and arguments.items() <= call["arguments"].items() for call in calls)
        made = [f"{call['name']}({_arguments(call['arguments'])})" for call in calls]
        assert found, f"{name}({_arguments(arguments)}) was not called: {', '.join(made) or 'no function was'}"

    def assert_result_sent(self, name: str, pattern: str = "") -> None:
        """Assert that the result of a function was sent, and that a regular expression is found in it."""
        calls = {call["id"]: call["name"] for call in self._steps("function_call")}
        sent = [
            (step.get("name") or calls.get(step["call_id"]), step["result"]) for step in self._steps("function_result")
        ]
        texts = [(known, result if isinstance(result, str) else json.dumps(result)) for known, result in sent]
        assert any(known == name and re.search(pattern, text) for known, text in texts), (
            f"no result of {name} that fits {pattern!r} was sent: {texts}"
        )

    def assert_statuses(self, *statuses: int | None) -> None:
        """Assert the HTTP statuses of all requests to the API, in their order; None: there was no answer."""
        requests = self.log()["requests"]
        found = tuple(request["status"] for request in requests if request["kind"] not in ("document", "weather"))
        assert found == statuses, f"the statuses are {found}, not {statuses}: {self._requests()}"

    def assert_resumed(self) -> None:
        """Assert that a client continued a stream that had been cut."""
        kinds = [request["kind"] for request in self.log()["requests"]]
        assert "resume" in kinds, f"no stream was resumed: {self._requests()}"

    def assert_all_ended(self) -> None:
        """Assert that no interaction is in progress."""
        live = [f"{one['id']} is {one['status']}" for one in self.interactions() if one["status"] in _RUNNING]
        assert not live, f"interactions have not ended: {', '.join(live)}"

    def _steps(self, kind: str) -> list[dict[str, Any]]:
        """All steps of a type in the stored interactions."""
        resources = [interaction["resource"] for interaction in self.interactions(steps=True)]
        return [step for resource in resources for step in resource["steps"] if step["type"] == kind]

    def _requests(self) -> str:
        requests = self.log()["requests"]
        return (
            ", ".join(f"{request['kind']} {request['status'] or 'without an answer'}" for request in requests) or "none"
        )


_RUNNING = ("queued", "in_progress")


def _arguments(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun} was" if count == 1 else f"{count} {noun}s were"
