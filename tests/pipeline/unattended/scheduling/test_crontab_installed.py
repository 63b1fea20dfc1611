"""The crontab's line with the real `crontab`, and run by the real cron."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

HERE = Path(__file__).parent
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--mount-proc"]
INSTALLED = """
import subprocess, sys
from pathlib import Path
from pipeline.unattended.scheduling import crontab
from tests.pipeline.unattended.scheduling.making import job

def table():
    return subprocess.run(["crontab", "-l"], capture_output=True).stdout

theirs = b"# mine\\n17 * * * * /usr/bin/backup '50\\\\%'\\n"
made = job(Path(sys.argv[1]), "owner=100% of $x", workspace="50% of all")
crontab.install(made)
assert table() == crontab.line(made).encode() + b"\\n"
subprocess.run(["crontab", "-"], input=theirs + table(), check=True)
assert crontab.install(made) == ["unchanged: the crontab has the line"]
assert crontab.is_installed(made.name, made.workspace)
crontab.remove(made.name, made.workspace)
assert table() == theirs, table()
print("done")
"""
RUN_BY_CRON = """
import subprocess, sys, time
from dataclasses import replace
from pathlib import Path
from pipeline.unattended.scheduling import crontab
from tests.pipeline.unattended.scheduling.making import job

folder = Path(sys.argv[1])
crontab.EVERY = "* * * * *"
program = folder / "bin $1 100%" / "casegate"
made = replace(job(folder, "owner=100% of $x", workspace="50% of all"), program=program)
crontab.install(made)
cron = subprocess.Popen(["cron", "-f"])
for _ in range(75):
    time.sleep(1)
    if (folder / "ran").exists():
        break
cron.terminate()
"""
PROGRAM = """#!/bin/sh
{{ printf '<%s>\\n' "$@"; pwd; }} > '{folder}/part'
mv '{folder}/part' '{folder}/ran'
"""


def in_private(script: str, folder: Path) -> str:
    if not (shutil.which("crontab") and shutil.which("cron") and shutil.which("unshare")):
        pytest.skip("no crontab, cron or unshare here: install cron and util-linux")
    if subprocess.run([*NAMESPACES, "true"], capture_output=True).returncode:
        pytest.skip("needs an account that may make namespaces: run as root")
    ended = subprocess.run(
        [
            *NAMESPACES,
            "/bin/sh",
            str(HERE / "crontab_installed.sh"),
            sys.executable,
            "-c",
            script,
            folder,
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_real_crontab_keeps_what_others_wrote(tmp_path: Path) -> None:
    assert in_private(INSTALLED, tmp_path) == "done\n"


@pytest.mark.slow
def test_the_real_cron_runs_the_line_as_it_is_meant(tmp_path: Path) -> None:
    program = tmp_path / "bin $1 100%" / "casegate"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(folder=tmp_path))
    program.chmod(0o755)
    in_private(RUN_BY_CRON, tmp_path)
    assert (tmp_path / "ran").read_text().splitlines() == [
        "<schedule>",
        "<run>",
        "<--once>",
        "<--config>",
        f"<{tmp_path}/casegate.yaml>",
        "<--workspace>",
        f"<{tmp_path}/50% of all>",
        "<--set>",
        "<owner=100% of $x>",
        str(Path.cwd()),
    ]
