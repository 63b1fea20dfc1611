"""Runs a node until it is ended."""

import os
import secrets
import signal
import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from components.cases.sources import require_secure
from components.dicom.pseudonyms import site_pseudonyms
from components.dicom.web import DicomWeb, check_query
from components.drift.log_writer import PredictionLog
from components.records.errors import CasegateError
from pipeline.feedback.served import FeedbackPlaces, ServedCases
from pipeline.pacs.intake import Say, StudyIntake
from pipeline.pacs.judge import Judge
from pipeline.pacs.node import PacsNode
from pipeline.pacs.queue import PacsQueue
from pipeline.pacs.receive import Receiver, listening, send
from pipeline.pacs.settings import PacsConfig
from pipeline.settings.config import load_config
from pipeline.settings.workspace import Workspace

_IDLE_S = 0.5


def serve(config: PacsConfig, say: Say) -> None:
    """Takes, judges and reports until SIGTERM or SIGINT; what is begun is ended first.

    Raises:
      ConfigError: a setting cannot be used.
      SourceError: the archive's address is not to be asked.
    """
    ended = _ended_by_signal()
    with ExitStack() as stack:
        node = make_node(config, say, stack)
        if config.listen.port is not None:
            receiver = Receiver(config, node.intake, node.queue, say)
            stack.enter_context(listening(config.listen, receiver))
            say(f"listening as {config.listen.ae_title} on port {config.listen.port}")
        if config.archive.watch:
            looking = threading.Thread(target=_watch, args=(node, config, ended))
            looking.start()
            stack.callback(looking.join)
        stack.callback(ended.set)
        while not ended.is_set():
            if not _worked(node):
                ended.wait(_IDLE_S)


def _worked(node: PacsNode) -> bool:
    """Whether something was done; a queue that cannot be used now may be later."""
    try:
        node.intake.sweep()
        return node.work()
    except (CasegateError, OSError) as error:
        node.say(f"the queue cannot be used: {error}")
        return False


def make_node(config: PacsConfig, say: Say, stack: ExitStack) -> PacsNode:
    """A node on the settings' workspace, archive and queue, which `stack` closes."""
    settings = load_config(Path(config.settings) if config.settings else None)
    workspace = Workspace(Path(config.workspace).resolve())
    address, _ = check_query(config.archive.address, require_secure)
    archive = DicomWeb(address, require_secure, attempts=1)
    queue = PacsQueue(config.folder, config.queue, f"{os.getpid()}-{secrets.token_hex(4)}")
    intake = StudyIntake(config, queue, site_pseudonyms(make=True), say)
    predictions = workspace.prediction_log(None, settings.monitoring.log)
    log = PredictionLog(predictions, name="pacs")
    stack.callback(log.close)
    judge = Judge(settings, workspace, say)
    stack.callback(judge.close)
    return PacsNode(
        config,
        queue,
        intake,
        archive,
        judge,
        store=partial(send, there, config.listen)
        if (there := config.archive.c_store)
        else archive.store,
        log=partial(_write_line, log, say),
        served=ServedCases(predictions),
        record=FeedbackPlaces(workspace.root).record,
        say=say,
    )


def _write_line(log: PredictionLog, say: Say, case_id: str, **known: Any) -> None:
    """Returns when the line is written: a report that is sent has its line, whatever happens."""
    wanted = log.written + log.lost + 1
    log.put(case_id, **known)
    while log.written + log.lost < wanted:
        time.sleep(0.002)
    if log.lost:
        say(f"{log.lost} lines of the prediction log were lost; see {log.folder}")


def _watch(node: PacsNode, config: PacsConfig, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            node.watch()
        except Exception as error:  # the next look may succeed
            words = str(error) if isinstance(error, CasegateError) else type(error).__name__
            node.say(f"the archive was not looked at: {words}")
        ended.wait(config.archive.watch_seconds)


def _ended_by_signal() -> threading.Event:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    return ended
