"""The documentation held against the code: commands, links, tables, programs, figures."""

import dataclasses
import json
import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest

from components import decision as decision_module
from components.baselines.case_set import save_case_set
from components.baselines.golden import save_golden
from components.baselines.scores import save_scores
from components.gate.decide import decide
from components.gate.policy import load_policy
from components.records import errors
from components.records.files import sha256_tree
from components.records.ledger.ledger import Ledger
from components.statistics.intervals import clopper_pearson
from components.statistics.paired import tango
from pipeline.cli import main
from pipeline.pacs.settings import load_pacs_config
from pipeline.settings.config import Config, load_config
from tests import reference
from tests.components.planting import approved, check, locked, policy, scored

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
KNOWN_WORDS = {"casegate", "make", "."}
TOP = r"(?:pipeline|components|schemas|baselines|tests|docs|\.ci)"


def blocks(path: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page that are in one of these languages."""
    fenced = re.findall(r"^```(\w+)\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)
    return [body for language, body in fenced if language in languages]


def commands(path: Path) -> list[str]:
    """What a page tells the reader to type: all of ```sh, and "$ " lines of ```console."""
    found = []
    for body in blocks(path, "sh"):
        lines = body.replace("\\\n", " ").splitlines()
        found += [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    for body in blocks(path, "console"):
        lines = body.replace("\\\n", " ").splitlines()
        found += [line[2:].strip() for line in lines if line.startswith("$ ")]
    return found


ALL_COMMANDS = [
    pytest.param(line, id=f"{page.name}: {line}") for page in PAGES for line in commands(page)
]
BY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the table whose first head cell is `heading`, without its head."""
    lines = (ROOT / page).read_text("utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return [rows[0], *rows[2:]]


def test_readme_starts_with_the_two_commands() -> None:
    assert commands(ROOT / "README.md")[:2] == ["make run", "make test"]


@pytest.mark.parametrize("line", ALL_COMMANDS)
def test_command_is_understood(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    word, *arguments = shlex.split(line)
    assert word in KNOWN_WORDS
    monkeypatch.chdir(tmp_path)
    if word == "casegate":
        options = parsed(arguments, tmp_path)
        load_config(None, options.get("settings") or ())
    if word == "make":
        makefile = (ROOT / "Makefile").read_text("utf-8")
        for name in arguments:
            variable, equals, _ = name.partition("=")
            assert re.search(rf"^{variable} \?=" if equals else rf"^{name}:", makefile, re.M)


def parsed(arguments: list[str], folder: Path) -> dict:
    """The options of a casegate command, refused as the command itself would; runs nothing."""
    (folder / "workspace").mkdir(exist_ok=True)
    for option, value in zip(arguments, arguments[1:]):
        if option in ("--workspace", "--images", "--keys"):
            (folder / Path(value).name).mkdir(exist_ok=True)
        if option in ("--config", "--token-file", "--image"):
            (folder / value).touch()
    arguments = [str(folder / Path(w).name) if w.startswith("/data/") else w for w in arguments]
    for place, word in enumerate(arguments):
        if word.startswith("workspace/serving/"):
            (folder / word).mkdir(parents=True)
            arguments[place] = str(folder / word)
    command: click.Command = main
    parent: click.Context | None = None
    while isinstance(command, click.Group):
        if command.invoke_without_command and arguments[:1] and arguments[0].startswith("-"):
            break  # its own options, and no subcommand
        name, *arguments = arguments
        parent = click.Context(command, parent=parent)
        found = command.get_command(parent, name)
        assert found is not None, f"no such command: {name}"
        command = found
    return command.make_context(command.name, arguments, parent=parent).params


def test_an_unknown_option_would_be_found(tmp_path: Path) -> None:
    with pytest.raises(click.NoSuchOption):
        parsed(["run", "--worksapce", "W"], tmp_path)
    with pytest.raises(AssertionError, match="no such command"):
        parsed(["baseline", "move"], tmp_path)


@BY_PAGE
def test_links_and_their_anchors_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text("utf-8")):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text("utf-8"), re.M)
            slugs = [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in headings]
            assert anchor in slugs, f"{page.name}: {target}"


@BY_PAGE
def test_files_and_tests_that_are_named_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    for path in re.findall(rf"`({TOP}/[\w./-]*)`", text):
        placeholder = any(part.isupper() for part in Path(path).parts)
        assert placeholder or (ROOT / path).exists(), f"{page.name}: {path}"
    tests = "".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    for name in re.findall(r"`(test_\w+)`", text):
        assert f"def {name}(" in tests, f"{page.name}: {name}"


def test_folders_of_the_readme_exist() -> None:
    folders = [row[0].strip("`") for row in table("README.md", "folder")[1:]]
    assert [name for name in folders if not (ROOT / name).is_dir()] == []


def settings_of(instance: object, prefix: str = "") -> dict[str, str]:
    """Every key of the configuration with its default, as the reference writes it."""
    found = {}
    for item in dataclasses.fields(instance):
        value = getattr(instance, item.name)
        if dataclasses.is_dataclass(value):
            found |= settings_of(value, f"{prefix}{item.name}.")
        else:
            found[prefix + item.name] = value if isinstance(value, str) else json.dumps(value)
    return found


def test_reference_of_the_settings_has_every_key_with_its_default() -> None:
    rows = table("docs/reference/settings.md", "key")[1:]
    assert {row[0].strip("`"): row[1].strip("`") for row in rows} == settings_of(Config())


@pytest.mark.parametrize("page", reference.PAGES, ids=lambda page: page.name)
def test_reference_is_as_the_code_makes_it(page: Path) -> None:
    text = page.read_text("utf-8")
    assert "<!-- made: " in text
    assert text == reference.made_anew(text), "make reference"


# Pages of figures that a program writes are as long as what was measured.
MEASURED = ("benchmarks.md", "gate-operating-characteristics.md")
READERS = [
    page for page in (ROOT / "docs").glob("*.md") if page.name not in MEASURED
] + [ROOT / "README.md"]  # fmt: skip


@pytest.mark.parametrize("page", READERS, ids=lambda page: page.name)
def test_page_of_a_reader_is_read_in_one_sitting(page: Path) -> None:
    assert len(page.read_text("utf-8").split()) <= 1500


@pytest.mark.parametrize("page", READERS, ids=lambda page: page.name)
def test_page_that_uses_a_word_of_the_glossary_links_it_first(page: Path) -> None:
    if page.name == "design.md":
        return  # the glossary itself
    text = page.read_text("utf-8")
    words = [
        word.strip() for row in table("docs/design.md", "word")[1:] for word in row[0].split(",")
    ]
    body = text.index("\n", text.index("# "))  # what the page is called may be any word
    uses = re.search(rf"\b({'|'.join(words)})s?\b", text[body:])
    link = re.search(r"design\.md#the-words", text[body:])
    assert uses is None or (link is not None and link.start() < uses.start() + 250), uses


def test_nothing_is_said_on_two_pages() -> None:
    """A sentence of twelve words or more stands once."""
    seen: dict[str, str] = {}
    twice = []
    for page in [*READERS, *(ROOT / "docs" / "adr").glob("*.md")]:
        prose = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
        for sentence in re.split(r"(?<=[.:])\s", re.sub(r"\s+", " ", prose)):
            if len(sentence.split()) >= 12 and seen.setdefault(sentence, page.name) != page.name:
                twice.append((seen[sentence], page.name, sentence))
    assert twice == []


def test_exit_codes_are_those_of_the_code() -> None:
    of_verdicts = {v for name, v in vars(decision_module).items() if name.startswith("EXIT_")}
    of_errors = {kind.exit_code for kind in error_classes()}
    assert {int(row[0]) for row in exit_codes()} == of_verdicts | of_errors


def error_classes() -> list[type[errors.CasegateError]]:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    return [kind for kind in kinds if issubclass(kind, errors.CasegateError)]


def test_every_error_stands_beside_its_exit_code() -> None:
    rows = {int(row[0]): re.findall(r"`(\w+)`", row[2]) for row in exit_codes()}
    documented = {name: code for code, names in rows.items() for name in names}
    assert documented == {kind.__name__: kind.exit_code for kind in error_classes()}


def exit_codes() -> list[list[str]]:
    return table("docs/errors.md", "code")[1:]


def test_readme_draws_the_components_of_the_graph() -> None:
    source = (ROOT / "pipeline/run/pipeline.py").read_text("utf-8")
    named = re.findall(r'with_id\("(\w+)"\)', source)
    stock = re.findall(r"from tfx\.components\.\S+\.component import (\w+)", source)
    made = r" = (DataGate|ReferenceScorer|RegressionGate|DecisionAttestor|ChampionModel)\("
    ours = re.findall(made, source)
    (drawing,) = blocks(ROOT / "README.md", "mermaid")
    assert set(
        re.findall(r"\b[A-Z]\w*[a-z][A-Z]\w*|\b(?:Transform|Trainer|Evaluator|Pusher)\b", drawing)
    ) == {*named, *stock, *ours}


def test_policy_and_settings_in_the_pages_are_valid(tmp_path: Path) -> None:
    kinds = set()
    for body in [body for page in PAGES for body in blocks(page, "yaml")]:
        path = tmp_path / "block.yaml"
        path.write_text(body, encoding="utf-8")
        words = {"checks:": "policy", "archive:": "pacs"}
        kind = next((kind for word, kind in words.items() if word in body), "settings")
        {"policy": load_policy, "pacs": load_pacs_config, "settings": load_config}[kind](path)
        kinds.add(kind)
    assert kinds == {"policy", "pacs", "settings"}


@pytest.mark.parametrize("what", ["margin", "floor"])
def test_tables_of_what_the_cases_can_prove_are_computed(what: str) -> None:
    head, *rows = table("docs/case-set.md", what)
    for limit, *cells in rows:
        for n, cell in zip(map(int, head[1:]), cells, strict=True):
            most = -1 if cell == "never" else int(cell)
            assert most < 0 or proven(what, n, most, float(limit)), (limit, n)
            assert not proven(what, n, most + 1, float(limit)), (limit, n)


def proven(what: str, n: int, wrong: int, limit: float) -> bool:
    if what == "margin":
        return tango(0, wrong, n).lower > -limit
    return float(clopper_pearson(n - wrong, n).lower) >= limit


@pytest.fixture
def program() -> dict:
    """The functions of the program in the auditor's page."""
    (body,) = blocks(ROOT / "docs/auditor.md", "python")
    functions: dict = {}
    exec(body, functions)
    return functions


def test_auditors_program_finds_the_case_set_and_the_model(program: dict, tmp_path: Path) -> None:
    case_set = locked(4, 9)
    save_case_set(case_set, tmp_path / "deep" / "case_set.json")
    (tmp_path / "deep.txt").write_text("sorts beside a folder")
    document = json.loads((tmp_path / "deep" / "case_set.json").read_text("utf-8"))
    assert program["merkle_root"](document) == case_set.merkle_root
    assert program["header_sha256"](document) == document["header_sha256"]
    assert program["tree_sha256"](tmp_path) == sha256_tree(tmp_path)


def test_auditors_program_finds_scores_golden_and_decision(program: dict, tmp_path: Path) -> None:
    case_set = locked(40, 40)
    scores = scored(case_set, wrong=[3])
    save_golden(approved(scores), tmp_path / "golden.json")
    broken = dataclasses.replace(scores, scores=np.append(scores.scores[1:], np.nan))
    save_scores(broken, tmp_path / "scores.json")
    decided = decide(
        policy=policy(check(floor=0.5, margin=0.2)),
        case_set=case_set, candidate=scores, champion=None, golden=approved(scores),
        evaluator=None, findings=["Größe"], run_id="r", created="2026-01-31T10:15:00Z",
    )  # fmt: skip
    golden = json.loads((tmp_path / "golden.json").read_text("utf-8"))
    assert program["golden_sha256"](golden) == golden["golden_sha256"]
    assert program["scores_sha256"](golden) == scores.scores_sha256
    written = json.loads((tmp_path / "scores.json").read_text("utf-8"))
    assert program["scores_sha256"](written) == broken.scores_sha256
    assert program["decision_sha256"](json.loads(decided.to_json())) == decided.decision_sha256


def test_auditors_program_finds_the_ledgers_entries(program: dict, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    body = {"run_id": "Größe", "case_set": "c", "case_set_version": 1, "case_set_root": "0" * 64}
    for _ in range(2):
        ledger.append("look", body, by="casegate", at="2026-01-31T10:15:00Z")
    first, second = map(json.loads, ledger.path.read_text("utf-8").splitlines())
    assert program["entry_sha256"](first) == first["entry_sha256"] == second["previous"]


@pytest.mark.parametrize(
    "schema", ["case_set", "case_scores", "golden", "gate_decision", "ledger_entry"]
)
def test_auditor_is_told_of_every_key(schema: str) -> None:
    keys = json.loads((ROOT / f"schemas/{schema}.json").read_text("utf-8"))["properties"]
    page = (ROOT / "docs/reference/files.md").read_text("utf-8")
    part = page.split(f"## `schemas/{schema}.json`")[1].split("\n## ")[0]
    assert [key for key in keys if f"`{key}`" not in part] == []


@BY_PAGE
def test_no_figure_is_missing(page: Path) -> None:
    assert re.findall(r"TODO-FIGURE: .*", page.read_text("utf-8")) == []
