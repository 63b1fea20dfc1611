"""When the sites that a policy names can be asked, and when they have to be asked again."""

from collections.abc import Collection
from pathlib import Path

from components.attestation.keys import VARIABLE, load_signers
from components.attestation.site import load_answers
from components.decision import Decision
from components.records.errors import ConfigError, IntegrityError
from components.records.run_files import SITES
from pipeline.run.inputs import Inputs


def refuse_unaskable(inputs: Inputs) -> None:
    """Raises ConfigError where the sites that the policy names cannot be asked from here."""
    how = inputs.config.site_verdicts
    if not inputs.asks_sites:
        return
    for name in ("outbox", "inbox"):
        place = getattr(how, name)
        if place is None or not Path(place).is_dir():
            raise ConfigError(
                f"site_verdicts.{name}: got {place or 'null'}, but the policy names sites "
                f"({', '.join(sorted(inputs.policy.sites))}); wanted a folder that is there"
            )
    if not load_signers():
        raise ConfigError(
            f"{VARIABLE}: names no private key, and sites judge only what is signed; make one with "
            "`casegate keys init`, and give them the public one"
        )


def ask_again(sites: Collection[str], decision: Decision, folder: Path) -> bool:
    """Whether a site was late, or something else than its word came: then it is asked anew.

    Args:
      sites: that the policy names.
      folder: of the run that decided.
    """
    kept = folder / SITES
    if not sites:
        return False
    if decision.exit_code == IntegrityError.exit_code or not kept.exists():
        return True
    return not set(sites) <= load_answers(kept).answers.keys()
