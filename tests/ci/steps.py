"""The shell steps of the ready CI files, taken out of them, and a machine to run them on."""

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CI = Path(__file__).resolve().parents[2] / "ci"
ACTION, WORKFLOW = CI / "github" / "action.yml", CI / "github" / "workflow.yml"
GITLAB, JENKINS = CI / "gitlab" / "casegate.gitlab-ci.yml", CI / "jenkins" / "Jenkinsfile"
PRE_COMMIT = CI / "pre-commit" / ".pre-commit-config.yaml"
CASEGATE = Path(sys.executable).with_name("casegate")
# As each server starts a step; the first two name the file, Jenkins its text.
SHELLS = {
    "github": ["bash", "--noprofile", "--norc", "-euo", "pipefail"],
    "gitlab": ["bash", "-euo", "pipefail"],
    "jenkins": ["sh", "-xe"],
}


@dataclass(frozen=True)
class Step:
    """A script of a CI file, and the variables that the file gives it, empty ones included."""

    server: str
    name: str
    script: str
    variables: Mapping[str, str] = field(default_factory=dict)


def github_steps() -> list[Step]:
    action = yaml.safe_load(ACTION.read_text())
    defaults = {name: str(given["default"]) for name, given in action["inputs"].items()}
    steps = [step for step in action["runs"]["steps"] if "run" in step]
    return [
        Step("github", step["name"], step["run"], _given(step.get("env", {}), defaults))
        for step in steps
    ]


def _given(env: Mapping[str, str], inputs: Mapping[str, str]) -> dict[str, str]:
    """The variables of a step, its expressions replaced by the inputs' defaults."""
    return {
        name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda m: inputs[m[1]], text)
        for name, text in env.items()
    }


def gitlab_steps() -> list[Step]:
    document = yaml.safe_load(GITLAB.read_text())
    job: dict[str, Any] = document["casegate"]
    variables = {name: str(text) for name, text in document["variables"].items()}
    return [
        Step("gitlab", name, "\n".join(job[name]), variables)
        for name in ("before_script", "script")
    ]


def jenkins_steps() -> list[Step]:
    text = JENKINS.read_text()
    variables = dict(re.findall(r"^\s+(CASEGATE_\w+) = '(.*?)'", text, re.MULTILINE))
    stages = re.findall(r"stage\('(\w+)'\) \{\s+steps \{\s+sh '''\n(.*?)'''", text, re.DOTALL)
    return [Step("jenkins", name, textwrap.dedent(script), variables) for name, script in stages]


def all_steps() -> list[Step]:
    return [*github_steps(), *gitlab_steps(), *jenkins_steps()]


def checking_steps() -> list[Step]:
    """Those that call casegate; the others install it."""
    return [step for step in all_steps() if "casegate ci" in step.script]


@dataclass
class Machine:
    """What a CI server starts a step on: a checkout, few variables, a PATH of its own."""

    checkout: Path
    bin: Path

    def install(self, name: str, text: str) -> None:
        path = self.bin / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def run(self, step: Step, **variables: str) -> "subprocess.CompletedProcess[str]":
        home = self.bin.parent / "home"
        home.mkdir(exist_ok=True)
        own = {"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(home), "CI": "true"}
        own |= {"NO_COLOR": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LANG": "C.UTF-8"}
        script = self.bin.parent / "step.sh"
        script.write_text(step.script)
        return subprocess.run(
            [*SHELLS[step.server], str(script)],
            cwd=self.checkout,
            env={**own, **step.variables, **variables},
            capture_output=True,
            text=True,
            timeout=120,
        )
