"""The repository of a team and the workspace of an auditor, as the rooms behind the commands have
them."""

from tests.pipeline.ci.conftest import _no_ci, made_once, team
from tests.pipeline.site.conftest import root

__all__ = ["_no_ci", "made_once", "root", "team"]
