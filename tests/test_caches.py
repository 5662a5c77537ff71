"""The caches of the test run are used; without them, an update of a library would only make the tests slow."""

from __future__ import annotations

from fastapi import FastAPI
from sqlalchemy import create_engine, literal, select


def test_engines_share_the_statements_that_one_of_them_has_compiled() -> None:
    compiled = []
    for _ in range(2):
        engine = create_engine("sqlite://")
        with engine.connect() as connection:
            compiled.append(connection.execute(select(literal(1))).context.compiled)
        engine.dispose()
    assert compiled[0] is compiled[1]


def test_apps_share_the_validators_of_their_routes() -> None:
    validators = []
    for _ in range(2):
        app = FastAPI()

        @app.get("/{number}")
        def read(number: int) -> None: ...

        validators += [field._type_adapter for field in app.routes[-1].dependant.path_params]  # type: ignore[attr-defined]
    assert validators[0] is validators[1]
