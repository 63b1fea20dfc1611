import json

import pytest

from components.lineage.views import VIEWS
from components.records.errors import ConfigError
from pipeline.evidence.answer import Answer
from pipeline.evidence.questions.sql import refuse_unless_select, sql, views
from pipeline.evidence.show_answer import as_json
from pipeline.evidence.subject import Evidence
from tests.pipeline.evidence.making import Told
from tests.refusing import refused


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    made = Told(tmp_path_factory.mktemp("told"))
    made.run("2026-01-05T10:00", "failed", error="100% of 'cases' :missing; 日本")
    return made


def asked(told: Told, query: str, *, limit: int = 1000) -> Answer:
    with Evidence(told.root) as evidence:
        return sql(evidence, query, limit=limit)


def rows(answer: Answer) -> tuple[object, ...]:
    return answer.tables[0].rows


def test_views_are_named_like_tables(told: Told) -> None:
    answer = asked(told, "SELECT run_id, state FROM runs;")
    assert answer.tables[0].columns == ("run_id", "state")
    assert rows(answer) == (("20260105T100000.000000Z", "failed"),)


def test_a_with_clause_of_its_own_is_kept(told: Told) -> None:
    query = "WITH mine AS (SELECT state FROM runs) SELECT count(*) AS n FROM mine"
    assert rows(asked(told, query)) == ((1,),)


def test_colons_per_cent_and_semicolons_in_text_are_just_that(told: Told) -> None:
    query = "SELECT error FROM runs WHERE error LIKE '100%:missing;%' -- a remark; :here"
    assert rows(asked(told, query)) == (("100% of 'cases' :missing; 日本",),)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "is empty"),
        ("-- nothing", "is empty"),
        ("DELETE FROM Artifact", "begins with 'DELETE'"),
        ("selct 1", "did you mean 'select'"),
        ("SELECT 1; DELETE FROM Artifact", "several statements"),
        ("SELECT 1 INTO OUTFILE '/tmp/x'", "would write"),
        ("PRAGMA query_only = OFF", "begins with 'PRAGMA'"),
    ],
)
def test_what_is_not_one_select_is_refused_in_words(query: str, words: str) -> None:
    with refused(ConfigError, words):
        refuse_unless_select(query)


@pytest.mark.parametrize("query", ["SELECT nothing FROM nowhere", "SELECT 'open"])
def test_what_the_database_does_not_take_is_one_line(told: Told, query: str) -> None:
    with refused(ConfigError):
        asked(told, query)


def test_the_database_refuses_to_write_whatever_the_words_are(told: Told) -> None:
    with Evidence(told.root) as evidence, refused(ConfigError, "read"):
        evidence.store.select("DELETE FROM Artifact", limit=1)


def test_more_rows_than_asked_for_are_said(told: Told) -> None:
    answer = asked(told, "SELECT name FROM Type", limit=2)
    assert len(rows(answer)) == 2
    assert answer.facts["cut"] is True and "--limit" in answer.notes[0]


def test_columns_of_one_name_do_not_hide_each_other(told: Told) -> None:
    answer = asked(told, "SELECT 1 AS a, 2 AS a, 3 AS a_2")
    assert len(set(answer.tables[0].columns)) == 3


def test_values_that_json_has_no_word_for_are_text(told: Told) -> None:
    answer = asked(told, "SELECT x'00ff' AS b, 9e999 AS f, NULL AS n")
    assert json.loads(as_json(answer))["tables"]["rows"] == [{"b": "00ff", "f": "inf", "n": None}]


def test_every_view_is_listed_with_its_columns(told: Told) -> None:
    with Evidence(told.root) as evidence:
        listed = views(evidence).tables[0].rows
    assert {row[0] for row in listed} == set(VIEWS)
    assert ("packages", "version", None) in listed
