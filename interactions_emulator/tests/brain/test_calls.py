"""Which function is called with what, driven by nothing but the declarations and the message."""

from __future__ import annotations

from typing import Any

import pytest

from brain.conftest import SEARCH, WEATHER, Ask, call, result, said, text_of

SERVICES = {
    "clerk": "Answers factual questions with a web search, and questions about the weather and the forecast.",
    "censor": "Checks whether a text, comment or post is safe to publish, or spam, inappropriate or harmful.",
    "scholar": "Researches a topic in depth and writes a long report with sources. Takes minutes and costs dollars.",
}
HAND_OVER: dict[str, Any] = {
    "type": "function",
    "name": "hand_over",
    "description": "Hands the conversation over to another agent.",
    "parameters": {
        "type": "object",
        "properties": {"agent": {"type": "STRING", "enum": list(SERVICES)}},
        "required": ["agent"],
    },
}
INSTRUCTION = "You greet people.\n\n" + "\n".join(
    f"\nAgent name: {name}\nAgent description: {about}\n" for name, about in SERVICES.items()
)


def chosen(ask: Ask, *inputs: Any, **more: Any) -> str:
    """The service that the message is handed to, "" if it is answered instead."""
    step = ask(*inputs, tools=[HAND_OVER], system=INSTRUCTION, **more)[0]
    return str(step["arguments"]["agent"]) if step["type"] == "function_call" else ""


@pytest.mark.parametrize(
    ("message", "service"),
    [
        ("What's the weather like in Lisbon?", "clerk"),
        ("who painted the night watch", "clerk"),
        ("tell me about the Hanseatic League", "clerk"),
        ("Is it safe to travel to Peru?", "clerk"),
        ("What is the impact of interest rates on rents?", "clerk"),
        ("latest traffic report for the tunnel", "clerk"),
        ("Compare tea and coffee", "clerk"),
        ("今天北京天气怎么样？", "clerk"),
        ("Is this ok to post: 'You are a fool'", "censor"),
        ("Please moderate this comment: Nice picture, thank you!", "censor"),
        ("Does this break our rules? --- Research the history of tulips in depth", "censor"),
        ("Can you moderate a debate?", "clerk"),
        ("Modère ce commentaire : « Merci pour la photo. »", "censor"),
        ("Somebody wrote: 'Nice picture, thank you!' Can I publish it?", "censor"),
        ("Research the history of the tulip trade", "scholar"),
        ("Investiga a fondo el comercio de tulipanes y escribe un informe", "scholar"),
        ("Fais une étude approfondie sur le commerce des tulipes", "scholar"),
        ("I need an in-depth report on battery recycling, with sources", "scholar"),
        ("Hello there!", ""),
        ("thanks, that was helpful", ""),
        ("who are you?", ""),
        ("what can you help me with?", ""),
        ("tell me a joke", ""),
        ("tell me a joke about deep research", ""),
        ("can you do research?", ""),
        ("what are your instructions?", ""),
        ("my sister works in research", ""),
        ("play some music", ""),
        ("draw the curtains", ""),
        ("transfer 100 dollars to my sister", ""),
        ("book a table for two", ""),
        ("👍", ""),
    ],
)
def test_a_message_is_routed_to_the_agent_whose_description_matches(ask: Ask, message: str, service: str) -> None:
    assert chosen(ask, message) == service


@pytest.mark.parametrize(
    "message",
    [
        "I love research.",
        "don't start a research, just tell me who founded Rome",
        "what does research mean?",
        "where can I study medicine?",
        "how do I report a stolen phone?",
        "how do I study for an exam in a week?",
        "thanks for the research report",
        "I read a research report about tulips yesterday",
        "should I start a research?",
        "is there research on sleep and memory?",
        "do you do research on animals?",
        "what does in-depth mean?",
        "Yesterday I walked along the river for a long time. " * 30,
    ],
)
def test_a_mention_of_research_or_a_long_text_starts_no_paid_research(ask: Ask, message: str) -> None:
    assert chosen(ask, message) != "scholar"


def test_routing_ignores_negated_words_in_an_agent_description(ask: Ask) -> None:
    instruction = (
        INSTRUCTION + "\n\nAgent name: poet\nAgent description: Writes poems. Not for the weather, never for rain.\n"
    )
    tool = {
        **HAND_OVER,
        "parameters": {**HAND_OVER["parameters"], "properties": {"agent": {"enum": [*SERVICES, "poet"]}}},
    }
    assert ask("Will it rain?", tools=[tool], system=instruction)[0]["arguments"] == {"agent": "clerk"}


def test_a_follow_up_goes_to_the_agent_of_the_previous_message(ask: Ask) -> None:
    before = [said("Weather in Rome?"), call("hand_over", agent="clerk")]
    answer = result("hand_over", {"answer": "21 °C.", "shown_to_user": True})
    for message in ("and tomorrow?", "what about Oslo?", "and in fahrenheit?", "simpler please"):
        assert chosen(ask, answer, said(message), before=before) == "clerk"
    assert chosen(ask, answer, said("thanks!"), before=before) == ""
    assert chosen(ask, answer, said("Is 'you fool' fine to post?"), before=before) == "censor"


def test_an_approval_goes_to_the_agent_that_asked_for_it(ask: Ask) -> None:
    before = [said("Research tulips"), call("hand_over", agent="scholar")]
    answer = result("hand_over", {"answer": "The plan: 1. Read. Reply with your approval to start."})
    assert chosen(ask, answer, said("yes, go ahead"), before=before) == "scholar"
    assert chosen(ask, answer, said("how is the research going?"), before=before) == "scholar"
    assert chosen(ask, answer, said("What is the capital of Peru?"), before=before) == "clerk"
    before += [answer, said("What is the capital of Peru?"), call("hand_over", agent="clerk")]
    other = result("hand_over", {"answer": "Lima."})
    assert chosen(ask, other, said("go ahead"), before=before) == "scholar"
    before += [other, said("go ahead"), call("hand_over", agent="scholar")]
    done = result("hand_over", {"answer": "Tulips come from Asia."})
    assert chosen(ask, done, said("thanks, ok"), before=before) != "scholar"


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("weather in são paulo, brazil tomorrow", {"place": "são paulo, brazil", "days": 2}),
        (
            "What's the forecast for New York City this week in fahrenheit?",
            {"place": "New York City", "days": 7, "units": "imperial"},
        ),
        ("las vegas weather today", {"place": "las vegas", "days": 1}),
        (
            "Will it rain in Springfield, Illinois in the next three days?",
            {"place": "Springfield, Illinois", "days": 3},
        ),
        ("Wie ist das Wetter in München?", {"place": "München"}),
        ("¿Va a llover mañana en Valencia?", {"place": "Valencia", "days": 2}),
        ("whats the weather in springfield", {"place": "springfield"}),
        ("Wie wird das Wetter morgen in München?", {"place": "München", "days": 2}),
        ("wie ist das wetter übermorgen in münchen?", {"place": "münchen", "days": 3}),
        ("Will I need an umbrella in Prague tomorrow?", {"place": "Prague", "days": 2}),
        ("Give me a 3-day forecast for Tokyo", {"place": "Tokyo", "days": 3}),
    ],
)
def test_function_arguments_are_extracted_from_the_message(ask: Ask, message: str, arguments: dict[str, Any]) -> None:
    [step] = ask(message, tools=[SEARCH, WEATHER])
    assert step["arguments"] == arguments


def test_two_places_produce_two_parallel_function_calls(ask: Ask) -> None:
    steps = ask("What's the weather in Paris and Rome?", tools=[WEATHER])
    assert [step["arguments"]["place"] for step in steps] == ["Paris", "Rome"]
    assert len({step["id"] for step in steps}) == 2


def test_a_follow_up_keeps_the_arguments_that_it_does_not_change(ask: Ask) -> None:
    before = [said("weather in Rome"), call("get_weather", place="Rome", days=1), result("get_weather", {"high": 20})]
    assert ask("and tomorrow in fahrenheit?", before=before, tools=[WEATHER])[0]["arguments"] == {
        "place": "Rome",
        "days": 2,
        "units": "imperial",
    }
    for message in ("what about Oslo?", "Sorry, I meant Oslo."):
        assert ask(message, before=before, tools=[WEATHER])[0]["arguments"]["place"] == "Oslo"
    weekend = ask("and at the weekend? in fahrenheit pls", before=before, tools=[WEATHER])[0]["arguments"]
    assert weekend == {"place": "Rome", "days": 7, "units": "imperial"}
    week = ask("and the whole week?", before=before, tools=[WEATHER])[0]["arguments"]
    assert (week["place"], week["days"]) == ("Rome", 7)


@pytest.mark.parametrize(
    "message", ["What is a snow leopard?", "What does a weather report contain?", "Who likes rain?"]
)
def test_a_definition_question_calls_no_function(ask: Ask, message: str) -> None:
    assert all(step["type"] != "function_call" for step in ask(message, tools=[SEARCH, WEATHER]))


def test_ok_after_a_joke_is_not_routed_to_the_previous_agent(ask: Ask) -> None:
    before = [said("Weather in Rome?"), call("hand_over", agent="clerk"), result("hand_over", {"answer": "21 °C."})]
    joke = ask(said("tell me a joke"), before=before, tools=[HAND_OVER], system=INSTRUCTION)
    assert "?" in text_of(joke)
    assert chosen(ask, "OK", before=[*before, said("tell me a joke"), *joke]) == ""


def test_a_missing_argument_is_asked_for_and_filled_from_the_reply(ask: Ask) -> None:
    question = ask("How's the weather tomorrow?", tools=[SEARCH, WEATHER])
    assert "Which place?" in text_of(question)
    before = [said("How's the weather tomorrow?"), *question]
    assert ask("Paris", before=before, tools=[SEARCH, WEATHER])[0]["arguments"] == {"place": "Paris", "days": 2}


def test_candidates_in_an_error_are_offered_and_can_be_chosen(ask: Ask) -> None:
    before = [said("weather in springfield"), call("get_weather", place="springfield")]
    error = result(
        "get_weather",
        {"error": {"message": "There are several.", "candidates": ["Springfield, Illinois", "Springfield, Missouri"]}},
    )
    offer = ask(error, before=before, tools=[WEATHER])
    assert "Springfield, Missouri" in text_of(offer)
    for reply in ("the second one", "Missouri", "the one in Missouri, please"):
        [step] = ask(reply, before=[*before, error, *offer], tools=[WEATHER])
        assert step["arguments"]["place"] == "Springfield, Missouri"
    longer = "the one in illinois pls. will i need an umbrella tomorrow"
    [step] = ask(longer, before=[*before, error, *offer], tools=[WEATHER])
    assert step["arguments"] == {"place": "Springfield, Illinois", "days": 2}
    [step] = ask("what's the weather in Rome tomorrow?", before=[*before, error, *offer], tools=[WEATHER])
    assert step["arguments"]["place"] == "Rome"


def test_arguments_follow_the_types_enums_and_limits_of_their_schema(ask: Ask) -> None:
    tool = {
        "type": "function",
        "name": "search_books",
        "description": "Searches the library's catalogue of books.",
        "parameters": {
            "type": "object",
            "properties": {
                "query": {"type": "string"},
                "limit": {"type": "integer", "minimum": 1, "maximum": 10},
                "language": {"type": "string", "enum": ["english", "german"]},
                "include_drafts": {"type": "boolean"},
                "link": {"anyOf": [{"type": "string", "format": "uri"}, {"type": "null"}]},
            },
            "required": ["query"],
        },
    }
    [step] = ask("Find german books about whales, at most twenty, limit 20, see https://example.org/w.", tools=[tool])
    assert step["arguments"] == {
        "query": "german books about whales, at most twenty, limit 20, see https://example.org/w",
        "limit": 10,
        "language": "german",
        "link": "https://example.org/w",
    }


def test_tool_choice_is_obeyed(ask: Ask) -> None:
    tools = [SEARCH, WEATHER]
    none = ask("weather in Rome", tools=tools, generation_config={"tool_choice": "none"})
    assert [step["type"] for step in none] == ["model_output"]
    assert ask("hello", tools=tools, generation_config={"tool_choice": "any"})[0]["name"] == "get_weather"
    only = {"tool_choice": {"allowed_tools": {"mode": "auto", "tools": ["google_search"]}}}
    assert ask("weather in Rome", tools=tools, generation_config=only)[0]["type"] == "google_search_call"


def test_malformed_function_declarations_do_not_raise(ask: Ask) -> None:
    odd = {
        "type": "function",
        "name": "f",
        "parameters": {"properties": {"x": None, "y": {"enum": []}}, "required": ["x", "z"]},
    }
    for tool in ({}, {"type": "function"}, {"type": "function", "name": "f", "parameters": None}, odd):
        assert ask("f x in Rome", tools=[tool], generation_config={"tool_choice": "any"})


def test_a_function_result_that_is_nested_too_deeply_is_reported_as_its_text(ask: Ask) -> None:
    before = [said("What is in it?"), call("read_it")]
    [step] = ask(result("read_it", "[" * 100_000), before=before, tools=[{"type": "function", "name": "read_it"}])
    assert text_of([step]).startswith("[[[")


def declared(name: str, about: str, **properties: Any) -> dict[str, Any]:
    """A function that requires all its parameters; a parameter is a type or a schema."""
    schemas = {key: {"type": one} if isinstance(one, str) else one for key, one in properties.items()}
    parameters = {"type": "object", "properties": schemas, "required": [*schemas]}
    return {"type": "function", "name": name, "description": about, "parameters": parameters}


STOCK = declared("get_stock", "How many items of a product are in stock", product="string")
NORTH_OR_SOUTH = {"type": "string", "enum": ["north", "south"]}
WAREHOUSE = declared("get_stock", "Returns the stock of a product", product="string", warehouse=NORTH_OR_SOUTH)
ORDER = declared("lookup_order", "Looks up an order by its id", order_id="string")
NUMBERED = declared("lookup_order", "Looks up an order by its number", order_number="integer")
MAIL = declared("send_email", "Sends an email to a recipient", to="string", body="string")
PRICE = declared("get_stock_price", "Returns the price of a stock by its ticker symbol", ticker="string")
SUM = declared("add", "Adds two numbers", a="number", b="number")
EXCHANGE = declared("convert_currency", "Converts money", amount="number", source="string", target="string")
LIGHT = declared("set_light", "Turns the light in a room on or off", room="string", on="boolean")
TASK = declared("create_task", "Creates a task with a title", title="string")
TABLE = declared("book_table", "Books a table in a restaurant", people="integer", date="string")
MEETING = declared("schedule_meeting", "Schedules a meeting", attendees={"type": "array"}, date="string", time="string")
FLIGHTS = declared("find_flights", "Finds flights between airports", origin="string", destination="string")


@pytest.mark.parametrize(
    ("tool", "message", "arguments"),
    [
        (STOCK, "How many bolts are in stock?", {"product": "bolts"}),
        (WAREHOUSE, "How many bolts are in stock in the south warehouse?", {"product": "bolts", "warehouse": "south"}),
        (ORDER, "Where is my order 12345?", {"order_id": "12345"}),
        (ORDER, "Look up order A-7731-X please", {"order_id": "A-7731-X"}),
        (NUMBERED, "What is the status of order 12345?", {"order_number": 12345}),
        (
            MAIL,
            "Send an email to bob@example.com saying: hello there",
            {"to": "bob@example.com", "body": "hello there"},
        ),
        (PRICE, "What is the stock price of AAPL?", {"ticker": "AAPL"}),
        (SUM, "Add 2 and 3.5", {"a": 2, "b": 3.5}),
        (EXCHANGE, "Convert 1,000 USD to EUR", {"amount": 1000, "source": "USD", "target": "EUR"}),
        (LIGHT, "Turn on the light in the kitchen", {"room": "kitchen", "on": True}),
        (LIGHT, "Turn the light in the kitchen off", {"room": "kitchen", "on": False}),
        (TASK, 'Create a task "buy milk"', {"title": "buy milk"}),
        (TASK, "Create a task called buy milk", {"title": "buy milk"}),
        (TABLE, "Book a table for 4 people on 2026-12-24", {"people": 4, "date": "2026-12-24"}),
        (
            MEETING,
            "Schedule a meeting with Bob and Alice on 03/14/2026 at 10:00 AM",
            {"attendees": ["Bob", "Alice"], "date": "03/14/2026", "time": "10:00 AM"},
        ),
        (FLIGHTS, "Find flights from Berlin to Madrid", {"origin": "Berlin", "destination": "Madrid"}),
    ],
)
def test_parameters_whose_names_say_nothing_get_the_values_of_the_message_in_order(
    ask: Ask, tool: dict[str, Any], message: str, arguments: dict[str, Any]
) -> None:
    [step] = ask(message, tools=[tool, WEATHER])
    assert (step["type"], step.get("name")) == ("function_call", tool["name"])
    assert step["arguments"] == arguments


def test_a_parameter_for_which_a_message_has_no_value_is_asked_for(ask: Ask) -> None:
    assert "Which product?" in text_of(ask("How many items are in stock?", tools=[STOCK]))
    assert "Which b?" in text_of(ask("Add 2", tools=[SUM]))


def test_something_to_do_for_which_there_is_no_function_calls_none(ask: Ask) -> None:
    told = text_of(ask("Send an email to Bob about the weather in Rome", tools=[WEATHER, STOCK]))
    assert "I cannot do that here" in told
