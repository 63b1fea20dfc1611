"""Whether a run could sign what it decides, asked before anything is trained."""

from components.attestation.keys import VARIABLE, load_signers, load_trusted
from components.records.errors import ConfigError
from pipeline.run.inputs import Inputs


def refuse_unsigned(inputs: Inputs) -> None:
    """Raises ConfigError where the run's keys are not those that its release has to be signed by.

    A key that is given has to count, even where unsigned releases are allowed: a signature that
    nobody trusts looks like one that somebody does. Without golden nothing can be released, and the
    folder of the keys may not be there yet; so the first run on new data needs none. Nor does a run
    that releases nothing.
    """
    if not inputs.golden_sha256 or not inputs.config.serving.release:
        return
    signing, signers = inputs.config.signing, load_signers()
    if not signers:
        if signing.unsigned:
            return
        raise ConfigError(
            f"{VARIABLE}: names no private key, and a release has to be signed; make one with "
            "`casegate keys init`, or allow unsigned releases with signing.unsigned: true"
        )
    trusted = {key.id for key in load_trusted(inputs.keys)}
    counting = {signer.id for signer in signers} & trusted
    if len(counting) < signing.threshold:
        raise ConfigError(
            f"{VARIABLE}: got {len(counting)} of {len(signers)} keys that are in {inputs.keys}, "
            f"wanted {signing.threshold}; put NAME.pub.pem there, in a commit of its own"
        )
