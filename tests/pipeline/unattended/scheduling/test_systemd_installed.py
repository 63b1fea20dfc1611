"""The unit files under a real systemd, with names that have every sign in them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

HERE = Path(__file__).parent
SYSTEMD = Path("/usr/lib/systemd/systemd")
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--mount-proc"]
INSTALLED = """
import subprocess, sys
from dataclasses import replace
from pathlib import Path
from pipeline.unattended.scheduling import systemd
from tests.pipeline.unattended.scheduling.making import job

folder = Path(sys.argv[1])
made = job(folder, "owner=a 'b' $c 100% \\"q\\" \\\\z", workspace='50% of "all" $x')
made = replace(made, program=folder / "bin $1 100%" / "casegate")
place = systemd.user_place()
print(*systemd.install(made, place), sep="\\n")
print("active", systemd.is_active(made.name, place))
timer = made.unit + ".timer"
shown = place.systemctl("show", timer, "--property=NextElapseUSecRealtime,Persistent")
print(subprocess.run(shown, capture_output=True, text=True).stdout)
started = systemd.run(place.systemctl("start", made.unit + ".service"))
print("started", started.returncode, started.stderr)
print(*systemd.remove(made.name, made.workspace, place), sep="\\n")
print("active", systemd.is_active(made.name, place))
"""
# In the place of casegate: shows what it was given, and tries to write where it should not.
PROGRAM = """#!/bin/sh
{ printf '<%s>\\n' "$@"; pwd; echo "$CASEGATE_WEBHOOK_SECRET"; touch "$HOME/out" /usr/out 2>&1
grep NoNewPrivs /proc/self/status; } > "$7/ran"
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """What installing, starting and removing came to."""
    if not (SYSTEMD.exists() and shutil.which("unshare")):
        pytest.skip("no systemd or no unshare here: install systemd and util-linux")
    if subprocess.run([*NAMESPACES, "true"], capture_output=True).returncode:
        pytest.skip("needs an account that may make namespaces: run as root")
    folder = tmp_path_factory.mktemp("systemd")
    home, program = folder / "home", folder / "bin $1 100%" / "casegate"
    (home / ".config" / "casegate").mkdir(parents=True)
    secrets = home / ".config" / "casegate" / "50-of-all-x.env"
    secrets.write_text("CASEGATE_WEBHOOK_SECRET='a secret'\n")
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    python = [sys.executable, "-c", INSTALLED, str(folder)]
    ended = subprocess.run(
        [*NAMESPACES, "/bin/sh", str(HERE / "systemd_installed.sh"), str(home), *python],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    if "systemd does not run here" in ended.stdout:
        pytest.skip("needs a kernel that lets a user's systemd start in a namespace")
    return folder, ended.stdout


def test_the_timer_is_enabled_for_the_next_slot(said: tuple[Path, str]) -> None:
    assert "enabled\n" in said[1]
    assert "active True\n" in said[1]
    assert "Persistent=yes" in said[1]
    assert "NextElapseUSecRealtime=Mon " in said[1]
    assert " 03:00:00 UTC" in said[1]


def test_the_command_gets_every_word_as_it_is(said: tuple[Path, str]) -> None:
    folder, words = said
    assert "started 0" in words
    given = (folder / '50% of "all" $x' / "ran").read_text().splitlines()
    assert given[:9] == [
        "<retrain>",
        "<--trigger>",
        "<schedule>",
        "<--config>",
        f"<{folder}/casegate.yaml>",
        "<--workspace>",
        f'<{folder}/50% of "all" $x>',
        "<--set>",
        "<owner=a 'b' $c 100% \"q\" \\z>",
    ]
    assert given[9:11] == [str(Path.cwd()), "a secret"]


def test_it_can_write_to_the_workspace_alone(said: tuple[Path, str]) -> None:
    ran = (said[0] / '50% of "all" $x' / "ran").read_text()
    assert ran.count("Read-only file system") == 2
    assert "NoNewPrivs:\t1" in ran


def test_removed_it_is_gone(said: tuple[Path, str]) -> None:
    folder, words = said
    assert words.count("\nremoved ") == 2
    assert words.rstrip().endswith("active False")
    assert not list((folder / "home" / ".config" / "systemd" / "user").glob("casegate*"))
