"""The settings of a training whose data stay in several hospitals."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pipeline.settings.sections import Flag, FolderName, Limits, Positive, Section, Text

# What may change what is trained; the rest says how the sites are reached.
_REACHED = ("address", "certificate", "key", "ca", "wait_minutes")


@dataclass(frozen=True)
class FederationConfig(Section):
    """Which sites train together, and how what they send becomes one model."""

    address: Text = "127.0.0.1:9092"
    """HOST:PORT at which the run listens while it trains, and to which every site connects."""
    certificate: Text | None = None
    """File with the coordinator's certificate, in PEM, of the name that sites connect to."""
    key: Text | None = None
    """File with its private key."""
    ca: Text | None = None
    """File with the certificate of the authority that signed it; every site has a copy."""
    sites: dict[FolderName, Text] | None = None
    """Each site's name, with the file of its public key, as ssh-keygen writes it. A site whose key
    is not here is refused; null knows none."""
    rounds: Positive = 20
    """How often all train on, and send their weights."""
    local_epochs: Positive = 1
    """Epochs at a site in each round."""
    algorithm: Literal["fedavg", "fedprox"] = "fedavg"
    """fedprox keeps a site's weights near those that a round begins with."""
    proximal: Annotated[float, Limits(gt=0)] = 0.01
    """How strongly; with fedprox alone."""
    min_sites: Positive = 2
    """A round with usable weights of fewer sites ends the run."""
    wait_minutes: Positive = 10
    """How long the run waits for sites to join, and for their answers in each round."""
    robust: Literal["none", "trimmed_mean", "median"] = "none"
    """none, the mean by examples; the others hold against a site that lies, and count all alike."""
    weight_cap: Annotated[float, Limits(gt=0, le=1)] | None = None
    """The largest share of a site in that mean; null sets none."""
    norm_bound: Annotated[float, Limits(gt=0)] | None = None
    """How far a site's weights may lie from those that the round began with, as Euclidean distance;
    null sets no bound."""
    secure_aggregation: Literal[False] = False
    """Not to be had: where only a sum is seen, no site's weights can be checked."""
    edition: Text = "1"
    """Another word trains anew on what the sites have now, where nothing else was changed."""

    def __post_init__(self) -> None:
        if self.sites and self.min_sites > len(self.sites):
            raise ValueError(
                f"min_sites: got {self.min_sites}, wanted at most the {len(self.sites)} of sites"
            )
        if self.robust != "none" and self.min_sites < 3:
            raise ValueError(
                f"min_sites: got {self.min_sites} beside robust {self.robust}, wanted at least 3: "
                "of two, nobody can say which one lies"
            )
        if self.weight_cap is not None and self.weight_cap * self.min_sites < 1:
            raise ValueError(
                f"weight_cap: got {self.weight_cap:g} for {self.min_sites} sites, wanted at least "
                f"{1 / self.min_sites:.4g}, or shares cannot add up to 1"
            )

    def deciding(self) -> dict[str, Any]:
        """What can change what is trained."""
        given = {k: v for k, v in dataclasses.asdict(self).items() if k not in _REACHED}
        return {**given, "sites": sorted(self.key_files)}

    @property
    def key_files(self) -> dict[str, str]:
        """The file of each site's public key, by its name."""
        return dict(self.sites or {})

    def missing(self) -> list[str]:
        """The settings without which no site can join."""
        needed = ("certificate", "key", "ca", "sites")
        return [name for name in needed if not getattr(self, name)]


@dataclass(frozen=True)
class SiteVerdictsConfig(Section):
    """How a run asks the sites that its policy names to judge its candidate on their own cases."""

    ask: Flag = True
    """false asks nobody, and then no model is released by a policy that names sites."""
    outbox: Text | None = None
    """Folder that sites read; each candidate lies in a folder named by its run while it is
    judged."""
    inbox: Text | None = None
    """Folder with a folder for each site, by its name, which that site alone writes to."""
    wait_minutes: Annotated[float, Limits(gt=0)] = 60
    """How long a run waits for their verdicts; a site that is late has not passed the model."""


@dataclass(frozen=True)
class SiteConfig(Section):
    """How `casegate site join` reaches a federated run; what it trains on is under `data`."""

    coordinator: Text | None = None
    """HOST:PORT of the run, as its certificate names it."""
    ca: Text | None = None
    """File with the certificate of the authority that signed the coordinator's."""
    key: Text | None = None
    """File with this site's private key, as `ssh-keygen -t ecdsa` makes it."""
    wait_minutes: Positive = 60
    """How long the site waits for a run to begin, and for the next word of it."""
