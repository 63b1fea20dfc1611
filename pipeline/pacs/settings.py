"""The settings of a node between an archive and the model: FILE of `casegate pacs`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from components.dicom.admission import Admission
from components.dicom.result import CodedWord
from components.pages.server import is_loopback
from pipeline.settings.config import read_settings
from pipeline.settings.sections import (
    AE_TITLE,
    CODE,
    PEER,
    WEB_ADDRESS,
    Flag,
    Limits,
    Positive,
    Section,
    Text,
    Texts,
)

AeTitle = Annotated[str, Limits(pattern=AE_TITLE)]
Port = Annotated[int, Limits(ge=1, le=65535)]
Seconds = Annotated[float, Limits(ge=0)]


@dataclass(frozen=True)
class IntendedUse(Section):
    """What the model is for; no other picture is ever scored."""

    modalities: Texts = Admission.modalities
    """Which Modality is judged."""
    body_parts: Texts = Admission.body_parts
    """Which BodyPartExamined is judged; ABSENT admits pictures without one."""
    views: Texts = Admission.views
    """Which ViewPosition is judged; ABSENT admits pictures without one."""
    intents: Texts = ("FOR PRESENTATION", "ABSENT")
    """Which PresentationIntentType is judged; a CR has none."""
    burned_in: Flag = False
    """Whether pictures are judged that say that a name may be burned into them."""

    @property
    def admission(self) -> Admission:
        return Admission(self.modalities, self.body_parts, self.views, burned_in=self.burned_in)


@dataclass(frozen=True)
class ArchiveConfig(Section):
    """The archive, by DICOMweb; its user or token comes from CASEGATE_DICOMWEB_CREDENTIALS."""

    address: Annotated[str, Limits(pattern=WEB_ADDRESS)] = "http://127.0.0.1:8042/dicom-web"
    """Where DICOMweb answers: https, or http on 127.0.0.1."""
    watch: Flag = True
    """Whether new pictures are looked for there; false takes only what is sent to `listen`."""
    watch_seconds: Seconds = 10
    """How often."""
    watch_days: Positive = 2
    """How old, by StudyDate, a study may be that is looked at."""
    c_store: Annotated[str, Limits(pattern=PEER)] | None = None
    """AE_TITLE@HOST:PORT where reports are sent by C-STORE; null stores them by DICOMweb."""


@dataclass(frozen=True)
class TlsConfig(Section):
    """Files in PEM form for connections in both directions; both sides show a certificate."""

    certificate: Text = ""
    """Our certificate, with those that lead to its authority; empty uses no TLS."""
    key: Text = ""
    """Its private key, for its owner's eyes only."""
    authorities: Text = ""
    """Certificates of the authorities that the other side may be certified by."""

    def __post_init__(self) -> None:
        if self.certificate and not (self.key and self.authorities):
            raise ValueError("certificate: wanted key and authorities beside it")


@dataclass(frozen=True)
class ListenConfig(Section):
    """Where pictures may be sent by C-STORE."""

    port: Port | None = None
    """The port; null listens nowhere."""
    host: Text = "127.0.0.1"
    """The address; one that other machines reach needs `tls`, or `plain`."""
    ae_title: AeTitle = "CASEGATE"
    """Our AE title, which a sender has to call."""
    peers: Texts = ()
    """Who may send, each AE_TITLE@ADDRESS."""
    tls: TlsConfig = field(default_factory=TlsConfig)
    plain: Flag = False
    """Whether other machines may send without TLS, on a network that is trusted."""
    max_mib: Positive = 256
    """Largest instance that is taken."""

    def __post_init__(self) -> None:
        if self.port is not None and not self.peers:
            raise ValueError("peers: got [], wanted AE_TITLE@ADDRESS of whoever may send")
        for peer in self.peers:
            if not all(peer.partition("@")):
                raise ValueError(f"peers: got '{peer}', wanted AE_TITLE@ADDRESS")
        if not (is_loopback(self.host) or self.tls.certificate or self.plain):
            raise ValueError(f"host: got '{self.host}', wanted tls beside it, or plain: true")


@dataclass(frozen=True)
class QueueConfig(Section):
    """What waits, and how often it is tried."""

    folder: Text | None = None
    """Where queue and spool are; null takes `pacs/` in the workspace."""
    quiet_seconds: Seconds = 30
    """A study is complete when nothing new of it came for so long."""
    attempts: Positive = 12
    """How often a report is tried before a person has to look at it."""
    pause_seconds: Seconds = 10
    """After the first failure; doubled after each further one."""
    longest_pause_seconds: Seconds = 900
    """How long a pause grows at most."""
    lease_seconds: Positive = 120
    """How long a node that does not answer keeps what it works on."""
    most_waiting: Positive = 10_000
    """With more waiting, senders are told to come again later."""


@dataclass(frozen=True)
class PacsConfig(Section):
    """Settings of `casegate pacs`: the file given with --config, all of it optional."""

    workspace: Text = "workspace"
    """The workspace whose release is asked."""
    settings: Text | None = None
    """YAML file of settings of that workspace."""
    intended_use: IntendedUse = field(default_factory=IntendedUse)
    finding: Annotated[str, Limits(pattern=CODE)] = "233604007 SCT Pneumonia"
    """What the model looks for: a code, its coding scheme's designator, and what it means."""
    archive: ArchiveConfig = field(default_factory=ArchiveConfig)
    listen: ListenConfig = field(default_factory=ListenConfig)
    queue: QueueConfig = field(default_factory=QueueConfig)
    feedback: Flag = False
    """Whether what readers answer in a verified report is recorded as feedback."""

    @property
    def word(self) -> CodedWord:
        return CodedWord(*self.finding.split(" ", 2))

    @property
    def folder(self) -> Path:
        return Path(self.queue.folder or Path(self.workspace) / "pacs").resolve()


def load_pacs_config(path: Path) -> PacsConfig:
    """The settings in a file.

    Raises:
      ConfigError: unreadable file, unknown key, a value of the wrong type or range.
    """
    return read_settings(PacsConfig, path)
