"""Views over ML Metadata's tables, for a question that no command asks.

They are common table expressions that are put before a query, and not objects in the store: so
they need no right but SELECT, and a store that somebody else keeps stays as it is. They read the
same on SQLite, PostgreSQL and MariaDB.
"""

from collections.abc import Mapping

from components.lineage.graph import ARTIFACT_STATES, EVENT_KINDS, EXECUTION_STATES
from components.lineage.types import (
    CHECK,
    COLUMN,
    ENVIRONMENT,
    RELEASE,
    RUN,
    TRAINING_DATA,
    TYPES,
)

ARTIFACT, EXECUTION, CONTEXT = 1, 0, 2  # ML Metadata's kinds of types


def _typed(type_name: str, kinds: Mapping[str, type]) -> str:
    columns = ",\n    ".join(
        f"MAX(CASE WHEN p.name = '{name}' THEN p.{COLUMN[kind]} END) AS {name}"
        for name, kind in kinds.items()
    )
    return f"""
  SELECT a.id AS artifact_id, a.uri AS uri,
    {columns}
  FROM Artifact a
  JOIN Type t ON t.id = a.type_id AND t.type_kind = {ARTIFACT} AND t.name = '{type_name}'
  JOIN ArtifactProperty p ON p.artifact_id = a.id AND NOT p.is_custom_property
  GROUP BY a.id, a.uri"""


def _case(column: str, names: Mapping[int, str]) -> str:
    whens = " ".join(f"WHEN {number} THEN '{name}'" for number, name in names.items())
    return f"CASE {column} {whens} ELSE 'unknown' END"


VIEWS: Mapping[str, tuple[str, str]] = {
    "runs": ("one row per run: who, why, code, data, verdict, release", _typed(RUN, TYPES[RUN])),
    "checks": ("one row per check of each run, with its figures", _typed(CHECK, TYPES[CHECK])),
    "releases": (
        "one row per version that was put in a destination, rollbacks among them",
        _typed(RELEASE, TYPES[RELEASE]),
    ),
    "environments": (
        "one row per environment: Python, system, lock file",
        _typed(ENVIRONMENT, TYPES[ENVIRONMENT]),
    ),
    "packages": (
        "one row per installed package of each environment",
        f"""
  SELECT a.name AS environment_sha256, p.name AS package, p.string_value AS version
  FROM Artifact a
  JOIN Type t ON t.id = a.type_id AND t.type_kind = {ARTIFACT} AND t.name = '{ENVIRONMENT}'
  JOIN ArtifactProperty p ON p.artifact_id = a.id AND p.is_custom_property""",
    ),
    "training_sets": (
        "one row per set of training and tuning cases",
        _typed(TRAINING_DATA, TYPES[TRAINING_DATA]),
    ),
    "components": (
        "one row per execution of a component, whatever became of it",
        f"""
  SELECT e.id AS execution_id, c.name AS pipeline_run, t.name AS component,
    {_case("e.last_known_state", EXECUTION_STATES)} AS state,
    e.create_time_since_epoch AS started_ms, e.last_update_time_since_epoch AS ended_ms
  FROM Execution e
  JOIN Type t ON t.id = e.type_id
  JOIN Association s ON s.execution_id = e.id
  JOIN Context c ON c.id = s.context_id
  JOIN Type k ON k.id = c.type_id AND k.type_kind = {CONTEXT} AND k.name = 'pipeline_run'""",
    ),
    "artifacts": (
        "one row per artifact of any type",
        f"""
  SELECT a.id AS artifact_id, t.name AS type, a.name AS name, a.uri AS uri,
    {_case("a.state", ARTIFACT_STATES)} AS state,
    a.create_time_since_epoch AS created_ms
  FROM Artifact a JOIN Type t ON t.id = a.type_id""",
    ),
    "events": (
        "one row per artifact that an execution read or wrote",
        f"""
  SELECT v.execution_id AS execution_id, v.artifact_id AS artifact_id,
    {_case("v.type", EVENT_KINDS)} AS kind
  FROM Event v""",
    ),
}


def with_views(query: str) -> str:
    """The query with the views that it names before it; its own WITH clause is kept."""
    rest = query.strip().rstrip(";").strip()
    lowered = rest.lower()
    named = [name for name in VIEWS if name in lowered]
    if not named:
        return rest
    views = ",\n".join(f"{name} AS ({VIEWS[name][1]}\n)" for name in named)
    for opening in ("with recursive ", "with "):
        if lowered.startswith(opening):
            return f"WITH RECURSIVE {views},\n{rest[len(opening) :]}"
    return f"WITH RECURSIVE {views}\n{rest}"
