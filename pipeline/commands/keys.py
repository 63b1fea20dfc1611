"""`casegate keys`: key pairs of people and machines that sign, and who signed a run."""

import os
from pathlib import Path

import click

from pipeline.commands import options
from pipeline.commands.answers import FORMATS, give
from pipeline.commands.ending import group
from pipeline.settings.workspace import Workspace

_FILE = click.Path(path_type=Path)
_keys = options.folder(
    "--keys",
    "Public keys that count; by default those that the run was configured with.",
    exists=True,
    metavar=None,
)
_format = options.form(*FORMATS)


@group()
def keys() -> None:
    """Signs decisions, and says who signed them.

    A run signs with the private keys that CASEGATE_KEY names, one path or several as in PATH. The
    passphrase of an encrypted key comes from CASEGATE_KEY_PASSPHRASE, or from the file that
    CASEGATE_KEY_PASSPHRASE_FILE names.
    """


@keys.command()
@options.folder("--out", "Folder for the two files.", metavar=None, required=True)
@click.option("--name", required=True, help="Of the person or machine that will sign.")
@click.option(
    "--passphrase-env", metavar="VARIABLE", help="Encrypts the private key with its value."
)
def init(out: Path, name: str, passphrase_env: str | None) -> int:
    """Makes a key pair (Ed25519): NAME.key.pem, to keep, and NAME.pub.pem, to hand out.

    Signatures count once NAME.pub.pem lies in the folder `keys` beside the policy, in git like the
    policy itself. The private key belongs in no repository, and cannot be made there.
    """
    from components.attestation.keys import new_key
    from components.records.errors import ConfigError

    passphrase = None
    if passphrase_env is not None:
        passphrase = os.environ.get(passphrase_env)
        if not passphrase:
            raise ConfigError(f"--passphrase-env {passphrase_env}: the variable is not set")
    private, public, signer = new_key(out, name, passphrase)
    how = "encrypted" if passphrase else "not encrypted"
    click.echo(f"key id {signer.id}")
    click.echo(f"private key, {how}: {private}; keep it to yourself")
    click.echo(f"public key: {public}; copy it into keys/ beside the policy for it to count")
    return 0


@keys.command()
@click.argument("run", metavar="VERSION|RUN")
@click.option(
    "--key", type=_FILE, multiple=True, help="Private key; by default those of CASEGATE_KEY."
)
@_keys
@_format
@options.workspace(exists=True)
def sign(run: str, key: tuple[Path, ...], keys: Path | None, form: str, workspace: Path) -> int:
    """Adds a signature to a run's signed decision, after checking all that it stands for.

    The statement stays what it was; whoever signs puts their name under it.
    """
    from components.attestation.keys import VARIABLE, load_signers
    from components.records.errors import ConfigError
    from pipeline.evidence.signatures import sign_run
    from pipeline.evidence.subject import Evidence

    signers = load_signers(key or None)
    if not signers:
        raise ConfigError(f"no key to sign with: say --key FILE, or set {VARIABLE}")
    with Workspace(workspace.resolve()).opened(), Evidence(workspace) as evidence:
        answer = sign_run(evidence, evidence.subject(run), signers, keys)
    click.echo(f"signed by {', '.join(one.name for one in signers)}", err=True)
    return give(answer, form=form)


@keys.command()
@click.argument("what", metavar="VERSION|RUN|FILE")
@_keys
@_format
@options.workspace(exists=False)
def show(what: str, keys: Path | None, form: str, workspace: Path) -> int:
    """Who signed a run's decision and release, and whether that counts; or what a file holds.

    A FILE is a key (*.pem) or an envelope (*.dsse.json), and needs no workspace. Exits 4 where
    something is unsigned, or signed by nobody who counts.
    """
    from pipeline.evidence.signatures import signatures, signed_file
    from pipeline.evidence.subject import Evidence

    if Path(what).is_file():
        return give(signed_file(Path(what), keys), form=form)
    with Evidence(workspace) as evidence:
        return give(signatures(evidence, evidence.subject(what), keys), form=form)
