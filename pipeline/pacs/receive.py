"""Takes what is sent by C-STORE, from whom the settings name; and sends so, where they say so."""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from pydicom import Dataset
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from components.attestation.key_files import read_key_file
from components.dicom.facts import keep_quiet
from components.dicom.web import ArchiveUnreachable
from components.records.errors import CasegateError, ConfigError, SourceError
from components.records.text import brief
from pipeline.pacs.intake import Say, StudyIntake
from pipeline.pacs.queue import WAITING, PacsQueue
from pipeline.pacs.settings import ListenConfig, PacsConfig, TlsConfig

_GREETING_S = 5.0
# What a sender is told, after DICOM PS3.4 B.2.3.
_TAKEN, _NOT_ALLOWED, _FULL, _NO_DICOM = 0x0000, 0x0124, 0xA700, 0xC000


class Receiver:
    """What answers associations; all of it is called by pynetdicom's threads."""

    def __init__(self, config: PacsConfig, intake: StudyIntake, queue: PacsQueue, say: Say) -> None:
        self._peers, self._most = set(config.listen.peers), config.listen.max_mib << 20
        self._waiting, self._intake, self._queue = config.queue.most_waiting, intake, queue
        self._say = say
        self._came: WeakKeyDictionary[Any, int] = WeakKeyDictionary()  # bytes of this instance

    def connected(self, event: Any) -> None:
        """Hangs up on whoever calls from elsewhere, before a byte of it is read."""
        if event.address[0] not in {peer.partition("@")[2] for peer in self._peers}:
            self._say("refused: a connection from an address that is not in listen.peers")
            event.assoc.dul.socket.close()

    def received(self, event: Any) -> None:
        """Hangs up on whoever sends too much, which all is held in memory."""
        self._came[event.assoc] = self._came.get(event.assoc, 0) + len(event.data)
        if self._came[event.assoc] > self._most:
            self._say(f"refused: an instance of more than {self._most >> 20} MiB")
            event.assoc.dul.socket.close()

    def store(self, event: Any) -> int:
        """C-STORE: the status; 0 only when the instance is on disk."""
        self._came[event.assoc] = 0
        sender = event.assoc.requestor
        if f"{sender.ae_title}@{sender.address}" not in self._peers:
            self._say("refused: an AE title from another address than listen.peers has")
            return _NOT_ALLOWED
        try:
            if self._queue.counts().get(WAITING, 0) >= self._waiting:
                raise ConfigError(f"{self._waiting:,} wait already")
            self._intake.take(event.encoded_dataset())
        except SourceError as error:
            self._say(f"refused: {error}")
            return _NO_DICOM
        except (CasegateError, OSError) as error:
            self._say(f"refused: {brief(error)}")
            return _FULL
        return _TAKEN


@contextmanager
def listening(where: ListenConfig, receiver: Receiver) -> Iterator[None]:
    """Answers associations while the block runs.

    Raises:
      ConfigError: it cannot listen there, or a file for TLS cannot be used.
    """
    keep_quiet()
    entity = AE(where.ae_title)
    entity.require_called_aet = True
    entity.require_calling_aet = sorted({peer.partition("@")[0] for peer in where.peers})
    entity.add_supported_context(Verification)
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(str(context.abstract_syntax), ALL_TRANSFER_SYNTAXES)
    handlers = [
        (evt.EVT_CONN_OPEN, receiver.connected),
        (evt.EVT_DATA_RECV, receiver.received),
        (evt.EVT_C_STORE, receiver.store),
    ]
    try:
        entity.start_server(
            (where.host, where.port or 0),
            block=False,
            evt_handlers=handlers,  # type: ignore[arg-type]
            ssl_context=_tls(where.tls, server=True),
        )
    except OSError as error:
        raise ConfigError(f"listen.port {where.port}: {error.strerror}; choose another") from None
    try:
        yield
    finally:
        entity.shutdown()


def send(where: str, ours: ListenConfig, datasets: Sequence[Dataset]) -> None:
    """Sends instances by C-STORE to AE_TITLE@HOST:PORT, under our AE title and with our TLS.

    Raises:
      ArchiveUnreachable: no association with the archive comes about.
      SourceError: the archive refuses an instance.
    """
    keep_quiet()
    title, _, address = where.partition("@")
    host, _, port = address.rpartition(":")
    entity = AE(ours.ae_title)
    for dataset in datasets:
        entity.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    context = _tls(ours.tls, server=False)
    tls = (context, host) if context else None
    link = entity.associate(host, int(port), ae_title=title, tls_args=tls)
    if not link.is_established:
        raise ArchiveUnreachable(f"{title}: no association; is the archive running?")
    try:
        for dataset in datasets:
            status = link.send_c_store(dataset).get("Status")
            if status != _TAKEN:
                shown = "nothing" if status is None else f"{status:#06x}"
                raise SourceError(f"{title}: the archive answered {shown} to C-STORE")
    except ValueError:
        raise SourceError(f"{title}: takes no such instances") from None
    finally:
        link.release()


def _tls(files: TlsConfig, *, server: bool) -> ssl.SSLContext | None:
    """Both sides show a certificate; None where the settings name none.

    Raises:
      ConfigError: a file is missing, open to others or of another kind.
    """
    if not files.certificate:
        return None
    read_key_file(Path(files.key), private=True)
    context = _Prompt(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(files.authorities)
        context.load_cert_chain(files.certificate, files.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"tls.certificate {files.certificate}: {brief(error)}") from None
    return context


class _Prompt(ssl.SSLContext):
    """Waits a while for the other side's greeting, during which nobody else is answered."""

    def wrap_socket(self, sock: Any, *given: Any, **named: Any) -> ssl.SSLSocket:
        sock.settimeout(_GREETING_S)
        wrapped = super().wrap_socket(sock, *given, **named)
        wrapped.settimeout(None)
        return wrapped
