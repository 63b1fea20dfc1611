"""The coordinator's conversation with its sites: who is there, what they answer, and why not."""

import contextlib
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.records import events
from components.records.errors import ConfigError, DeviceLost
from components.records.text import printable
from pipeline.federation.carrier import Carrier, flower_python, start_carrier
from pipeline.settings.federation import FederationConfig

LOOK_S = 1.0
LATE = "it did not answer in time"  # as flower/carry.py says
START_S = 120.0
GOODBYE_S = 30.0
KEY_KIND = "ecdsa-sha2-nistp"


@dataclass(frozen=True)
class SiteAnswer:
    """Attributes:
    words, payload: what the site sent, unchecked.
    fault: why there is nothing of it; None where there is.
    """

    site: str
    words: Mapping[str, Any]
    payload: bytes
    fault: str | None = None


def refuse_unready(settings: FederationConfig) -> None:
    """Raises ConfigError where a federated run cannot begin here."""
    if missing := settings.missing():
        raise ConfigError(
            f"training.federation: got no {', '.join(missing)}, wanted a certificate, its key, the "
            "ca that signed it, and the public key of each site; docs/federated.md makes them"
        )
    for name in ("certificate", "key", "ca"):
        _read(Path(getattr(settings, name)), f"training.federation.{name}")
    read_keys(settings)
    flower_python()


def read_keys(settings: FederationConfig) -> dict[str, str]:
    """Each site's public key, on one line.

    Raises:
      ConfigError: a file is no public key that Flower takes, or two sites have the same.
    """
    keys: dict[str, str] = {}
    for site, name in settings.key_files.items():
        where = f"training.federation.sites.{site}"
        key = " ".join(_read(Path(name), where).split()[:2])
        if not key.startswith(KEY_KIND):
            raise ConfigError(f"{where}: {name}: wanted a public key of `ssh-keygen -t ecdsa`")
        if key in keys.values():
            other = next(known for known, its in keys.items() if its == key)
            raise ConfigError(f"{where}: got the key of {other}, wanted a key of its own")
        keys[site] = key
    return keys


class Sites:
    """The sites of one training, while the run listens for them."""

    def __init__(self, carrier: Carrier, settings: FederationConfig) -> None:
        self._carrier, self._settings = carrier, settings

    def wait_for(self, *, everybody: bool) -> list[str]:
        """The sites that are connected.

        Args:
          everybody: waits for all, as long as it may; else for as many as a round needs.

        Raises:
          DeviceLost: so many did not come in time.
        """
        settings, names = self._settings, list(self._settings.key_files)
        until = time.monotonic() + 60 * settings.wait_minutes
        enough = len(names) if everybody else settings.min_sites
        waited: list[str] = []
        while len(present := self._present()) < enough and time.monotonic() < until:
            if present != waited or not waited:
                waited = present
                events.publish("progress", detail=f"waits for sites: {_listed(present)} of {names}")
            time.sleep(LOOK_S)
        if len(present) < settings.min_sites:
            raise DeviceLost(
                f"training: got {len(present)} sites ({_listed(present)}) at {settings.address} "
                f"within {settings.wait_minutes} minutes, wanted {settings.min_sites} "
                "(training.federation.min_sites); start `casegate site join` at the others"
            )
        return present

    def ask(
        self,
        words: Mapping[str, Mapping[str, Any]],
        payload: bytes = b"",
        *,
        most_bytes: int,
        timeout_s: float | None = None,
    ) -> Iterator[SiteAnswer]:
        """Every site's answer as it comes, and one with a fault for those that give none.

        Args:
          words: for each site that is asked.
          most_bytes: that an answer may have.
        """
        # Who answers has to have read the question, so that no site can answer for another.
        nonces = {site: secrets.token_hex(16) for site in words}
        self._carrier.tell(
            {
                "do": "ask",
                "words": {site: {**each, "nonce": nonces[site]} for site, each in words.items()},
                "timeout_s": timeout_s or 60 * self._settings.wait_minutes,
                "most_bytes": most_bytes,
            },
            payload,
        )
        while "end" not in (told := self._carrier.hear())[0]:
            heard, sent = told
            given: Any
            site, given = heard["site"], heard.get("answer", {})
            fault = heard.get("fault")
            if fault is None and not (type(given) is dict and given.get("nonce") == nonces[site]):
                fault = "it answered something else"
            if fault is None and "refused" in given:
                fault = f"it refused: {printable(str(given['refused']))[:500]}"
            yield SiteAnswer(site, {} if fault else given, b"" if fault else sent, fault)

    def dismiss(self, words: Mapping[str, Any]) -> None:
        """Tells the sites that are there that it is over."""
        asked = {site: words for site in self._present()}
        for _ in self.ask(asked, most_bytes=10_000, timeout_s=GOODBYE_S) if asked else ():
            pass

    def _present(self) -> list[str]:
        self._carrier.tell({"do": "present"})
        return list(self._carrier.hear()[0]["present"])


@contextlib.contextmanager
def listening(settings: FederationConfig, log: Path) -> Iterator[Sites]:
    """Listens for the sites while the block runs.

    Raises:
      ConfigError: the address, or a file, is none to listen with.
    """
    with tempfile.TemporaryDirectory() as folder:
        given = {
            "address": settings.address,
            **{name: getattr(settings, name) for name in ("certificate", "key", "ca")},
            "sites": read_keys(settings),
            "folder": folder,
        }
        with start_carrier("coordinator", given, log) as carrier:
            try:
                carrier.hear(START_S)
            except (DeviceLost, TimeoutError) as error:
                raise ConfigError(
                    f"training.federation: cannot listen at {settings.address} with "
                    f"{settings.certificate}: {error or 'no answer'}; correct address, "
                    f"certificate, key or ca, or look into {log}"
                ) from None
            yield Sites(carrier, settings)


def _read(path: Path, where: str) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: {path}: cannot be read: {error}") from None


def _listed(sites: list[str]) -> str:
    return ", ".join(sites) or "none"
