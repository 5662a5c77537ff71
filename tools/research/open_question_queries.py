"""SQL statements for questions to a person and their answers."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import ColumnElement, Connection, and_, delete, select

from tools.databases.shielded import shielded
from tools.research.database import Database, upsert
from tools.research.open_questions import Action, NotConfirmed, Question, Yes
from tools.research.tables import ANSWERS, QUESTIONS


def write_question(connection: Connection, question: Question) -> None:
    """Writes a question in place of an earlier one about the same subject."""
    values = asdict(question)
    asked = upsert(connection, QUESTIONS).values(values)
    connection.execute(asked.on_conflict_do_update(index_elements=QUESTIONS.primary_key.columns, set_=values))


def read_questions(
    connection: Connection, user: str, session: str | None = None, subject: str | None = None
) -> list[Question]:
    """Returns a user's unanswered questions. Leaves out questions with actions that only a newer desk knows."""
    rows = connection.execute(select(QUESTIONS).where(_of(user, session, subject))).mappings().all()
    names = ("user", "session", "subject", "version", "invocation")
    known = [row for row in rows if row["action"] in set(Action)]
    return [Question(action=Action(row["action"]), **{name: row[name] for name in names}) for row in known]


def delete_questions(connection: Connection, user: str, session: str, subject: str | None = None) -> None:
    """Deletes a conversation's question about a subject, or all its questions."""
    connection.execute(delete(QUESTIONS).where(_of(user, session, subject)))


def use_yes(connection: Connection, yes: Yes) -> None:
    """Marks a yes as used and deletes its question.

    Raises:
        NotConfirmed: the yes was used before, or its question has changed.
    """
    question = yes.question
    stands = and_(
        _of(question.user, question.session, question.subject),
        QUESTIONS.c.action == question.action,
        QUESTIONS.c.version == question.version,
        QUESTIONS.c.invocation == question.invocation,
    )
    unused = upsert(connection, ANSWERS).values(id=yes.answer).on_conflict_do_nothing()
    if connection.execute(unused).rowcount != 1:
        raise NotConfirmed(
            f"this yes has already answered another question: a yes that names {question.subject} answers this one"
        )
    if connection.execute(delete(QUESTIONS).where(stands)).rowcount != 1:
        raise NotConfirmed(f"the question about {question.subject} was answered or asked again meanwhile")


def _of(user: str, session: str | None, subject: str | None) -> ColumnElement[bool]:
    given = {"user": user, "session": session, "subject": subject}
    return and_(*(QUESTIONS.c[name] == value for name, value in given.items() if value is not None))


class QuestionQueries:
    """Writes and reads the questions of a ledger that wait for a person's yes."""

    _database: Database

    @shielded
    async def save_question(self, question: Question) -> None:
        """Writes a question; it replaces an earlier one about the same subject."""
        await self._database.write(lambda connection: write_question(connection, question))

    @shielded
    async def questions(self, user: str, session: str | None = None, *, subject: str | None = None) -> list[Question]:
        """Returns a user's unanswered questions; with `session` or `subject`, only those that match."""
        return await self._database.read(lambda connection: read_questions(connection, user, session, subject))

    @shielded
    async def use_yes(self, yes: Yes) -> None:
        """Uses up a yes and deletes its question.

        Raises:
            NotConfirmed: the question was answered, asked again or withdrawn meanwhile, or the yes was used before.
        """
        await self._database.write(lambda connection: use_yes(connection, yes))

    @shielded
    async def withdraw_questions(self, user: str, session: str, subject: str | None = None) -> None:
        """Deletes a conversation's question about a subject, or all its questions."""
        await self._database.write(lambda connection: delete_questions(connection, user, session, subject))
