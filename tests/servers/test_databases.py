import pytest

from tests.servers.databases import found


def test_a_missing_server_skips_by_name() -> None:
    with pytest.raises(pytest.skip.Exception, match="no nosuchd; install Debian's package nosuch"):
        found("nosuchd", "nosuch")
