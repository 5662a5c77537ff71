"""langchain-google-genai over generateContent: text, stream, tools, structured output."""

from __future__ import annotations

import os

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from played import play
from pydantic import BaseModel

chat = ChatGoogleGenerativeAI(
    model="gemini-3.8-flash", api_key="any", base_url=os.environ["EMULATOR"], transport="rest", max_retries=1
)


class Person(BaseModel):
    """What the model fills."""

    name: str
    age: int


@tool
def get_weather(city: str) -> str:
    """Gets the weather of a city."""
    return f"sunny in {city}"


def text() -> None:
    assert "welcome" in chat.invoke("Say a greeting").text


def stream() -> None:
    pieces = [piece.text for piece in chat.stream("Say a greeting")]
    assert len(pieces) > 1
    assert "welcome" in "".join(pieces)


def tools() -> None:
    asked = HumanMessage("How is the weather in Rome?")
    called = chat.bind_tools([get_weather]).invoke([asked])
    [call] = called.tool_calls
    result = ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"], name=call["name"])
    assert "sunny" in chat.bind_tools([get_weather]).invoke([asked, called, result]).text


def structured_output() -> None:
    person = chat.with_structured_output(Person, method="json_schema").invoke("Describe a person")
    assert person == Person(name="Ada", age=36)


def tokens() -> None:
    assert chat.get_num_tokens("Say a greeting") > 0


play(text, stream, tools, structured_output, tokens)
