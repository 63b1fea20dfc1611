"""Flower, and nothing else: it carries messages between the coordinator and the sites.

A program of the environment that `make flower` makes; it knows no TensorFlow and none of casegate.
Each message is a line of JSON that ends with how many bytes follow it ("bytes"), then those. What
they mean only the processes at both ends know. The program ends when its standard input does.

    coordinator   is Flower's SuperLink: one port, TLS, and only nodes with a known key
    site          is a node of it: it opens no port, and runs no code that comes over the network
"""

import json
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

os.environ["FLWR_TELEMETRY_ENABLED"] = "0"  # before flwr is imported, which reads it then

import grpc
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key
from flwr.client.grpc_rere_client import connection
from flwr.common import Array, ArrayRecord, ConfigRecord, Message, RecordDict, heartbeat, log
from flwr.common.constant import (
    HEARTBEAT_INTERVAL_INF,
    HEARTBEAT_MIN_INTERVAL,
    NOOP_FLWR_AID,
    SUPERLINK_NODE_ID,
    Status,
)
from flwr.common.inflatable import (
    get_all_nested_objects,
    get_object_tree,
    iterate_object_tree,
    no_object_id_recompute,
)
from flwr.common.inflatable_utils import (
    inflate_object_from_contents,
    pull_and_inflate_object_from_tree,
    push_objects,
)
from flwr.common.message import remove_content_from_message
from flwr.common.retry_invoker import _make_simple_grpc_retry_invoker
from flwr.common.typing import RunNotRunningException, RunStatus
from flwr.server.app import _run_fleet_api_grpc_rere
from flwr.server.superlink.fleet.grpc_rere.node_auth_server_interceptor import (
    NodeAuthServerInterceptor,
)
from flwr.server.superlink.linkstate import LinkStateFactory
from flwr.supercore.constant import FLWR_IN_MEMORY_DB_NAME
from flwr.supercore.ffs import FfsFactory
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.primitives.asymmetric import public_key_to_bytes

POLL_S = 0.2
# A site that is gone shows after two of these; Flower's own 30 seconds would be a minute.
for module in (connection, heartbeat):
    module.HEARTBEAT_DEFAULT_INTERVAL = HEARTBEAT_MIN_INTERVAL

Told = tuple[dict[str, Any], bytes]


class ParentChannel:
    """The conversation with the process that started this one."""

    def __init__(self) -> None:
        # Whatever else prints must not come between two messages.
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self._heard: queue.Queue[Told] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def tell(self, words: dict[str, Any], payload: bytes = b"") -> None:
        self._out.write(json.dumps({**words, "bytes": len(payload)}).encode() + b"\n" + payload)
        self._out.flush()

    def hear(self) -> Told:
        return self._heard.get()

    def _listen(self) -> None:
        while told := _read(sys.stdin.buffer):
            self._heard.put(told)
        os._exit(0)  # nobody is at the other end any more


def _read(stream: IO[bytes]) -> Told | None:
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    words = json.loads(line)
    return words, stream.read(words.pop("bytes"))


def _content(words: str, payload: bytes) -> RecordDict:
    array = Array(dtype="uint8", shape=(len(payload),), stype="bytes", data=payload)
    return RecordDict({"words": ConfigRecord({"json": words}), "arrays": ArrayRecord({"0": array})})


def _parts(message: Message) -> tuple[str, bytes]:
    """What `_content` put in.

    Raises:
      KeyError, TypeError: it was made by something else.
    """
    words = message.content["words"]["json"]
    if not isinstance(words, str):
        raise TypeError("no text")
    return words, message.content["arrays"]["0"].data


class SuperLink:
    """Flower's, for the duration of one training, with all its state in memory."""

    def __init__(self, given: dict[str, Any]) -> None:
        states, self._objects = LinkStateFactory(FLWR_IN_MEMORY_DB_NAME), ObjectStoreFactory()
        self._state, self._store = states.state(), self._objects.store()
        files = (given[name] for name in ("ca", "certificate", "key"))
        ca, certificate, key = (Path(name).read_bytes() for name in files)
        self._server = _run_fleet_api_grpc_rere(
            address=given["address"],
            state_factory=states,
            ffs_factory=FfsFactory(given["folder"]),
            objectstore_factory=self._objects,
            enable_supernode_auth=True,
            certificates=(ca, certificate, key),
            interceptors=[NodeAuthServerInterceptor(states)],
        )
        self._run = self._state.create_run("", "", "", {}, ConfigRecord(), NOOP_FLWR_AID)
        for status in (Status.STARTING, Status.RUNNING):
            self._state.update_run_status(self._run, RunStatus(status, "", ""))
        self._state.acknowledge_app_heartbeat(self._run, HEARTBEAT_INTERVAL_INF)
        self._nodes = {site: self._admit(key) for site, key in given["sites"].items()}

    def _admit(self, public_key: str) -> int:
        key = public_key_to_bytes(load_ssh_public_key(public_key.encode()))
        return self._state.create_node(NOOP_FLWR_AID, key, 0)

    def present(self) -> list[str]:
        """The sites that are connected now."""
        online = self._state.get_nodes(self._run)
        return [site for site, node in self._nodes.items() if node in online]

    def ask(self, asked: dict[str, Any], payload: bytes, channel: ParentChannel) -> None:
        """Passes on each site's answer as it comes; what has not come in time never does."""
        until = time.monotonic() + asked["timeout_s"]
        joined = {site: self._joined(site) for site in asked["words"]}
        waiting = {
            self._push(site, json.dumps(words), payload, asked["timeout_s"]): site
            for site, words in asked["words"].items()
        }
        coming: dict[str, Message] = {}
        while waiting and time.monotonic() < until:
            for answer in self._state.get_message_res(set(waiting) - set(coming)):
                coming[answer.metadata.reply_to_message_id] = answer
            for identity, answer in list(coming.items()):
                if told := self._told(waiting[identity], answer, asked["most_bytes"]):
                    channel.tell(*told)
                    self._forget(identity, answer)
                    del coming[identity], waiting[identity]
            for identity, site in list(waiting.items()):
                if identity not in coming and self._joined(site) != joined[site]:
                    channel.tell({"site": site, "fault": "it was started anew meanwhile"})
                    self._forget(identity)
                    del waiting[identity]
            time.sleep(POLL_S)
        for identity, site in waiting.items():
            channel.tell({"site": site, "fault": "it did not answer in time"})
            self._forget(identity, coming.get(identity))
        channel.tell({"end": True})

    def _push(self, site: str, words: str, payload: bytes, timeout_s: float) -> str:
        message = Message(_content(words, payload), self._nodes[site], "train", ttl=timeout_s + 60)
        message.metadata.__dict__.update(_run_id=self._run, _src_node_id=SUPERLINK_NODE_ID)
        message.metadata.__dict__["_message_id"] = identity = message.object_id
        with no_object_id_recompute():
            self._store.preregister(self._run, get_object_tree(message))
            for name, part in get_all_nested_objects(message).items():
                self._store.put(name, part.deflate())
            self._state.store_message_ins(remove_content_from_message(message))
        return identity

    def _told(self, site: str, answer: Message, most_bytes: int) -> Told | None:
        """What to say of an answer; None while parts of it are on their way."""
        if answer.has_error():
            return {"site": site, "fault": "it is gone"}, b""
        names = list(iterate_object_tree(self._store.get_object_tree(answer.metadata.message_id)))
        contents = {part.object_id: self._store.get(part.object_id) or b"" for part in names}
        if sum(map(len, contents.values())) > most_bytes:
            return {"site": site, "fault": f"it sent more than {most_bytes} bytes"}, b""
        if not all(contents.values()):
            return None
        try:
            words, payload = _parts(inflate_object_from_contents(names[-1].object_id, contents))
            return {"site": site, "answer": json.loads(words)}, payload
        except Exception as error:  # whatever a site sends, the others go on
            return {"site": site, "fault": f"it sent no answer ({type(error).__name__})"}, b""

    def _joined(self, site: str) -> str:
        """When it did so last."""
        (node,) = self._state.get_node_info(node_ids=[self._nodes[site]])
        return str(node.last_activated_at)

    def _forget(self, identity: str, answer: Message | None = None) -> None:
        self._state.delete_messages({identity})
        for name in (identity, answer and answer.metadata.message_id):
            if name:
                self._store.delete(name)


def coordinate(channel: ParentChannel) -> None:
    link = SuperLink(channel.hear()[0])
    channel.tell({"ready": True})
    while True:
        words, payload = channel.hear()
        if words["do"] == "present":
            channel.tell({"present": link.present()})
        else:
            link.ask(words, payload, channel)


class _LastError(logging.Handler):
    """What Flower says of why it gives up."""

    said = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.said = str(record.msg.details() if isinstance(record.msg, grpc.Call) else record.msg)


def join(channel: ParentChannel) -> None:
    given, _ = channel.hear()
    key = load_ssh_private_key(Path(given["key"]).read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an elliptic curve key")
    last = _LastError(logging.ERROR)
    log.__self__.addHandler(last)
    try:
        with _connected(given, key) as (_, receive, send, _, _, pull, push, confirm):
            channel.tell({"joined": True})
            while True:
                if (got := receive()) is None:
                    time.sleep(POLL_S)
                    continue
                _answer(channel, got, send, pull, push, confirm)
    except (grpc.RpcError, RuntimeError, RunNotRunningException) as error:
        channel.tell({"fault": last.said or f"{type(error).__name__}: {error}"})


@contextmanager
def _connected(given: dict[str, Any], key: ec.EllipticCurvePrivateKey) -> Iterator[Any]:
    invoker = _make_simple_grpc_retry_invoker()
    invoker.recoverable_exceptions = grpc.RpcError
    with connection.grpc_request_response(
        given["address"],
        False,
        invoker,
        root_certificates=Path(given["ca"]).read_bytes(),
        authentication_keys=(key, key.public_key()),
    ) as conn:
        yield conn


def _answer(
    channel: ParentChannel, got: tuple[Message, Any], send: Any, pull: Any, push: Any, confirm: Any
) -> None:
    """Takes one message to the process behind the channel, and its answer back."""
    head, tree = got
    run = head.metadata.run_id
    message = pull_and_inflate_object_from_tree(
        tree, lambda name: pull(run, name), lambda name: confirm(run, name), return_type=Message
    )
    message.metadata.__dict__["_message_id"] = tree.object_id
    words, payload = _parts(message)
    channel.tell({"asked": json.loads(words)}, payload)
    answer, payload = channel.hear()
    reply = Message(_content(json.dumps(answer), payload), reply_to=message)
    reply.metadata.__dict__["_message_id"] = reply.object_id
    with no_object_id_recompute():
        wanted = send(reply, get_object_tree(reply))
        parts = get_all_nested_objects(reply)
        push_objects(
            parts, lambda name, content: push(run, name, content), object_ids_to_push=wanted
        )
    channel.tell({"sent": True})


if __name__ == "__main__":
    {"coordinator": coordinate, "site": join}[sys.argv[1]](ParentChannel())
