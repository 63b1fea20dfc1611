"""Where a report is read: beside which policy file, and whether its pictures are of people."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from components.decision import CheckResult


@dataclass(frozen=True)
class ReportContext:
    """What the caller knows and the decision does not.

    Attributes:
      synthetic: all images are drawn by a program.
      policy_path: the policy file relative to the repository, such as
        `baselines/chest/policy.yaml`; empty where there is none to point to.
      policy_lines: line (from 1) of each part of the policy by its name, such as
        `sensitivity[overall]` or `negative_flips`.
    """

    synthetic: bool = False
    policy_path: str = ""
    policy_lines: Mapping[str, int] = field(default_factory=dict)

    def line(self, check: CheckResult) -> int | None:
        """The line that asks for `check`: that of the longest name it begins with."""
        names = [
            name
            for name in self.policy_lines
            if check.check == name or check.check.startswith(f"{name}.")
        ]
        return self.policy_lines[max(names, key=len)] if names else None
