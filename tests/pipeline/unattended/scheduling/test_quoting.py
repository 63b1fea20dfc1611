import subprocess

import pytest

from components.records.errors import ConfigError
from pipeline.unattended.scheduling.quoting import (
    checked,
    cron_command,
    systemd_command,
    systemd_word,
)


def test_plain_words_stay_plain() -> None:
    words = ["/usr/bin/casegate", "retrain", "--set", "data.source=a/{b}"]
    assert systemd_command(words) == '/usr/bin/casegate retrain --set "data.source=a/{b}"'


def test_systemds_own_signs_are_doubled() -> None:
    assert systemd_command(["/c", 'a "b" \\c 5% $x']) == '/c "a \\"b\\" \\\\c 5%% $$x"'


def test_a_dollar_in_the_programs_path_is_read_by_env() -> None:
    assert systemd_command(["/a $b/c", "d"]) == '/usr/bin/env "/a $$b/c" d'


def test_a_path_is_no_command_and_keeps_its_dollar() -> None:
    assert systemd_word("/a $b") == '"/a $b"'


@pytest.mark.parametrize("word", ["a\nb", " a", "a ", "a\\", "a\x00", "a\u2028b", "a\x1b[1m"])
def test_what_no_line_can_hold_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match="schedule: got"):
        checked(word, "schedule")


def test_what_cron_passes_on_is_what_was_meant() -> None:
    words = ["/bin/echo", "100% 'a' $x `id` \"b\" # c", "--set", "%%"]
    line = cron_command(words, folder="/usr", remark="casegate-x 0")
    assert "%" not in line.replace("\\%", "")
    shell = line.replace("\\%", "%")  # as cron does
    said = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, text=True, check=True)
    assert said.stdout == "100% 'a' $x `id` \"b\" # c --set %%\n"


def test_a_backslash_has_no_meaning_that_all_crons_share() -> None:
    with pytest.raises(ConfigError, match="use systemd"):
        cron_command(["/c", "a\\b"], folder="/", remark="x")


def test_a_line_that_cron_would_cut_is_refused() -> None:
    with pytest.raises(ConfigError, match="got a line of 10"):
        cron_command(["/c", "a" * 1000], folder="/", remark="x")
