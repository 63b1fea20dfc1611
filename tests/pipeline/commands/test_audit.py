import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.commands.audit import audit
from tests.pipeline.site.making import RUN


def run(*arguments: object) -> Result:
    return CliRunner().invoke(audit, [str(argument) for argument in arguments])


def test_build_says_where_the_first_page_is(root: Path, tmp_path: Path) -> None:
    found = run("build", "--workspace", root, "--out", tmp_path / "site")
    assert found.exit_code == 0 and str(tmp_path / "site" / "index.html") in found.stdout
    assert (tmp_path / "site" / "index.html").is_file()


def test_build_exits_4_where_evidence_does_not_fit(root: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(root, tmp_path / "copy")
    (copy / "runs" / RUN / "report.md").write_text("all is well", encoding="utf-8")
    found = run("build", "--workspace", copy, "--out", tmp_path / "site")
    assert found.exit_code == 4 and f"run/{RUN}" in found.stderr


def test_a_broken_ledger_is_one_line_and_writes_nothing(root: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(root, tmp_path / "copy")
    ledger = copy / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b"serving/chest", b"serving/other", 1))
    found = run("build", "--workspace", copy, "--out", tmp_path / "site")
    assert found.exit_code == 4 and found.stderr.count("\n") == 1
    assert not (tmp_path / "site").exists()


def test_serve_refuses_to_be_reached_from_elsewhere(root: Path) -> None:
    found = run("serve", "--workspace", root, "--host", "0.0.0.0")  # noqa: S104
    assert found.exit_code == 2 and "--allow-remote" in found.stderr


@pytest.mark.process
def test_the_server_answers_without_tensorflow_and_ends_when_told(root: Path) -> None:
    code = (
        "import sys; from pipeline.commands.audit import audit\n"
        "try: audit()\n"
        "finally: print(sorted({'tensorflow', 'tfx', 'ml_metadata'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, "serve", "--workspace", str(root), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        address = process.stdout.readline().strip()
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200 and b"serving/chest" in answer.read()
        refused = urllib.request.Request(address, data=b"x")
        with pytest.raises(urllib.error.HTTPError, match="405"):
            urllib.request.urlopen(refused)
        process.send_signal(signal.SIGINT)
        assert process.stdout.read().strip() == "[]"
    assert process.returncode == 0
