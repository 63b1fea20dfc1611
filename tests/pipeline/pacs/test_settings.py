from pathlib import Path

import pytest

from components.records.errors import ConfigError
from pipeline.pacs.settings import PacsConfig, load_pacs_config
from tests.refusing import refused
from tests.schemas import PACS_SCHEMA, as_text, pacs_schema

DOCS = Path(__file__).resolve().parents[3] / "docs"


def load(tmp_path: Path, text: str) -> PacsConfig:
    (tmp_path / "pacs.yaml").write_text(text)
    return load_pacs_config(tmp_path / "pacs.yaml")


def test_the_schema_is_what_the_dataclasses_say() -> None:
    assert PACS_SCHEMA.read_text("utf-8") == as_text(pacs_schema()), "run `make schemas`"


def test_an_empty_file_is_the_default_and_listens_on_loopback(tmp_path: Path) -> None:
    found = load(tmp_path, "")
    assert (found.listen.port, found.listen.host) == (None, "127.0.0.1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("archiv: {}", "unknown key 'archiv'; did you mean 'archive'?"),
        ("queue: {quiet: 3}", "unknown key 'queue.quiet'"),
        ("listen: {port: 104}", "listen.peers: got [], wanted AE_TITLE@ADDRESS"),
        ("listen: {port: 104, peers: [MOD]}", "listen.peers: got 'MOD'"),
        ("listen: {host: 0.0.0.0, port: 104, peers: [A@10.0.0.1]}", "wanted tls beside it"),
        ("listen: {tls: {certificate: c.pem}}", "listen.tls.certificate: wanted key and"),
        ("archive: {address: ftp://a}", "archive.address: got 'ftp://a', wanted an http"),
        ("finding: Pneumonia", "finding: got 'Pneumonia', wanted CODE SCHEME MEANING"),
        ("archive: {c_store: here}", "archive.c_store: got 'here', wanted AE_TITLE@HOST:PORT"),
        ("queue: {attempts: 0}", "queue.attempts: got 0, wanted at least 1"),
        ("listen: {ae_title: 'a title of seventeen'}", "listen.ae_title: got"),
    ],
)
def test_a_wrong_setting_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    with refused(ConfigError, words):
        load(tmp_path, text)


def test_other_machines_are_listened_to_by_tls_or_by_a_word(tmp_path: Path) -> None:
    where = "host: 0.0.0.0, port: 104, peers: [A@10.0.0.1]"
    assert load(tmp_path, f"listen: {{{where}, plain: true}}").listen.plain
    tls = "tls: {certificate: c.pem, key: k.pem, authorities: a.pem}"
    assert load(tmp_path, f"listen: {{{where}, {tls}}}").listen.tls.key == "k.pem"
