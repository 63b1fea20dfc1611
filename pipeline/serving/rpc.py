"""TensorFlow Serving's gRPC services, those a classifier has; the rest is UNIMPLEMENTED."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from components.records.errors import ConfigError
from pipeline.governance.tokens import Tokens
from pipeline.serving.messages import metadata_pb2, predict_pb2, status_pb2
from pipeline.serving.refused import Refused, refusal_of
from pipeline.serving.rest import DEFAULT, authorize, input_of
from pipeline.serving.service import CASE_ID, ModelSpec, Service

STRING, TYPES = 7, {"f": 1, "i": 9}  # as TensorFlow numbers its types
Tls = tuple[bytes, bytes]


def make_server(
    service: Service, address: str, *, tokens: Tokens | None = None, tls: Tls | None = None
) -> tuple[grpc.aio.Server, int]:
    """A server that is not started yet, and its port.

    Args:
      tls: private key and chain of certificates, in PEM; without them it speaks in the clear.

    Raises:
      ConfigError: it cannot listen there.
    """
    most = ("grpc.max_receive_message_length", service.config.server.max_bytes)
    server = grpc.aio.server(options=[most, ("grpc.so_reuseport", 0)])
    for name, method, kind, work in (
        ("PredictionService", "Predict", predict_pb2.PredictRequest, _predict),
        ("PredictionService", "GetModelMetadata", metadata_pb2.GetModelMetadataRequest, _metadata),
        ("ModelService", "GetModelStatus", status_pb2.GetModelStatusRequest, _status),
    ):
        handler = grpc.unary_unary_rpc_method_handler(
            _guarded(service, tokens, kind, work),
            response_serializer=lambda message: message.SerializeToString(),
        )
        full = f"tensorflow.serving.{name}"
        named = grpc.method_handlers_generic_handler(full, {method: handler})
        server.add_generic_rpc_handlers((named,))
    try:
        if tls is None:
            return server, server.add_insecure_port(address)
        return server, server.add_secure_port(address, grpc.ssl_server_credentials([tls]))
    except RuntimeError:
        raise ConfigError(f"{address}: cannot listen there; choose another --grpc-port") from None


def _guarded(
    service: Service, tokens: Tokens | None, kind: Any, work: Any
) -> Callable[..., Awaitable[Any]]:
    async def answer(content: bytes, context: Any) -> Any:
        since, code = time.perf_counter(), "CANCELLED"
        try:
            authorize(dict(context.invocation_metadata()), tokens)
            request = _parsed(kind, content)
            version = request.model_spec.version.value
            spec = ModelSpec(
                request.model_spec.name,
                version if request.model_spec.HasField("version") else None,
                request.model_spec.version_label or None,
            )
            found = await work(service, spec, request, context)
            code = "OK"
            return found
        except Exception as error:
            refusal = refusal_of(error)
            code = refusal.status.name
            await context.abort(grpc.StatusCode[code], refusal.words)
        finally:
            service.count("grpc", code, since)

    return answer


def _parsed(kind: Any, content: bytes) -> Any:
    try:
        return kind.FromString(content)
    except DecodeError:
        raise Refused(f"wanted a {kind.DESCRIPTOR.full_name}") from None


async def _status(service: Service, spec: ModelSpec, request: Any, context: Any) -> Any:
    return service.status(spec)


async def _metadata(service: Service, spec: ModelSpec, request: Any, context: Any) -> Any:
    if list(request.metadata_field) != ["signature_def"]:
        raise Refused("metadata_field: wanted 'signature_def'")
    return service.metadata(spec)


async def _predict(service: Service, spec: ModelSpec, request: Any, context: Any) -> Any:
    loaded, signature = service.find(spec), request.model_spec.signature_name or DEFAULT
    name = input_of(loaded, signature)
    if request.inputs.keys() != {name}:
        raise Refused(f"inputs: wanted '{name}' alone")
    outputs = await service.answer(
        loaded,
        signature,
        _strings(request.inputs[name], name),
        case_ids=[value for key, value in context.invocation_metadata() if key == CASE_ID],
        timeout_s=context.time_remaining(),
    )
    answer = predict_pb2.PredictResponse()
    answer.model_spec.name, answer.model_spec.signature_name = loaded.release.name, signature
    answer.model_spec.version.value = loaded.release.version
    for key in request.output_filter or outputs:
        if key not in outputs:
            raise Refused(f"output tensor alias not found in signature: {key[:99]}")
        values, tensor = outputs[key], answer.outputs[key]
        tensor.dtype = TYPES[values.dtype.kind]
        for size in values.shape:
            tensor.tensor_shape.dim.add().size = size
        field = tensor.float_val if values.dtype.kind == "f" else tensor.int64_val
        field.extend(values.ravel().tolist())
    return answer


def _strings(tensor: Any, name: str) -> list[bytes]:
    shape, values = [dim.size for dim in tensor.tensor_shape.dim], list(tensor.string_val)
    # An input of another rank would end TensorFlow's process.
    if tensor.dtype != STRING or shape != [len(values)]:
        raise Refused(
            f"{name}: got type {tensor.dtype}, shape {shape} and {len(values)} values in "
            "string_val, wanted DT_STRING of one dimension, and a value for each"
        )
    return values
