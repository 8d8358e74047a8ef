"""Runs the cases of gRPC's interop tests at a server: `client.py HOST:PORT [CERTIFICATE]`. Prints a line for each: `{"name", "error"}`."""

import json
import queue
import sys
import traceback

import grpc

import interop_pb2 as pb
from service import INITIAL, METHODS, SERVICE, TRAILING

LARGE = pb.SimpleRequest(response_size=314159, payload=pb.Payload(body=bytes(271828)))
TALK = ((27182, 31415), (8, 9), (1828, 2653), (45904, 58979))
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
GZIP = grpc.Compression.Gzip
PLAIN = grpc.Compression.NoCompression
TIMEOUT = 20


class Turns:
    """Requests that are given one at a time."""

    def __init__(self):
        self.ready = queue.Queue()

    def give(self, request):
        self.ready.put(request)

    def __iter__(self):
        return iter(self.ready.get, None)


class Stub:
    def __init__(self, channel):
        self.channel = channel
        for name, (kind, request, response) in METHODS.items():
            setattr(self, name, self.method(f"/{SERVICE}/{name}", kind, request, response))

    def method(self, path, kind, request, response):
        build = getattr(self.channel, kind)
        return build(path, request_serializer=request.SerializeToString, response_deserializer=response.FromString)


def check(is_right, what):
    if not is_right:
        raise AssertionError(what)


def same(actual, expected):
    check(actual == expected, f"{actual!r} is not {expected!r}")


def fails(call, code, details=None):
    try:
        call()
    except grpc.RpcError as error:
        same(error.code(), code)
        if details is not None:
            same(error.details(), details)
        return
    raise AssertionError(f"it did not fail with {code}")


def zeros(reply, size):
    check(reply.payload.body == bytes(size), f"not {size} zeros: {len(reply.payload.body)}")


def asking(*sizes, body=0, status=None, interval_us=0):
    asked = [pb.ResponseParameters(size=size, interval_us=interval_us) for size in sizes]
    return pb.StreamingOutputCallRequest(
        response_parameters=asked, payload=pb.Payload(body=bytes(body)), response_status=status
    )


def upload(*sizes, expected=None):
    for size in sizes:
        compressed = None if expected is None else pb.BoolValue(value=expected)
        yield pb.StreamingInputCallRequest(payload=pb.Payload(body=bytes(size)), expect_compressed=compressed)


def empty_unary(stub):
    same(stub.EmptyCall(pb.Empty(), timeout=TIMEOUT), pb.Empty())


def large_unary(stub):
    zeros(stub.UnaryCall(LARGE, timeout=TIMEOUT), 314159)


def client_streaming(stub):
    requests = upload(*(size for size, _ in TALK))
    same(stub.StreamingInputCall(requests, timeout=TIMEOUT).aggregated_payload_size, 74922)


def server_streaming(stub):
    sizes = [size for _, size in TALK]
    replies = list(stub.StreamingOutputCall(asking(*sizes), timeout=TIMEOUT))
    same(len(replies), len(sizes))
    for reply, size in zip(replies, sizes):
        zeros(reply, size)


def ping_pong(stub):
    turns = Turns()
    replies = stub.FullDuplexCall(iter(turns), timeout=TIMEOUT)
    for sent, asked in TALK:
        turns.give(asking(asked, body=sent))
        zeros(next(replies), asked)
    turns.give(None)
    same(list(replies), [])


def empty_stream(stub):
    same(list(stub.FullDuplexCall(iter(()), timeout=TIMEOUT)), [])


def custom_metadata(stub):
    sent = ((INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab"))

    def came_back(call):
        same(dict(call.initial_metadata()).get(INITIAL), sent[0][1])
        same(dict(call.trailing_metadata()).get(TRAILING), sent[1][1])

    reply, call = stub.UnaryCall.with_call(LARGE, metadata=sent, timeout=TIMEOUT)
    zeros(reply, 314159)
    came_back(call)
    talk = stub.FullDuplexCall(iter([asking(314159, body=271828)]), metadata=sent, timeout=TIMEOUT)
    for reply in talk:
        zeros(reply, 314159)
    came_back(talk)


def status_code_and_message(stub):
    status = pb.EchoStatus(code=2, message="test status message")
    unknown = grpc.StatusCode.UNKNOWN
    fails(lambda: stub.UnaryCall(pb.SimpleRequest(response_status=status), timeout=TIMEOUT), unknown, status.message)
    talk = iter([asking(status=status)])
    fails(lambda: list(stub.FullDuplexCall(talk, timeout=TIMEOUT)), unknown, status.message)


def special_status_message(stub):
    request = pb.SimpleRequest(response_status=pb.EchoStatus(code=2, message=SPECIAL))
    fails(lambda: stub.UnaryCall(request, timeout=TIMEOUT), grpc.StatusCode.UNKNOWN, SPECIAL)


def unimplemented_method(stub):
    fails(lambda: stub.UnimplementedMethod(pb.Empty(), timeout=TIMEOUT), grpc.StatusCode.UNIMPLEMENTED)


def unimplemented_service(stub):
    path = "/grpc.testing.UnimplementedService/UnimplementedCall"
    call = stub.method(path, "unary_unary", pb.Empty, pb.Empty)
    fails(lambda: call(pb.Empty(), timeout=TIMEOUT), grpc.StatusCode.UNIMPLEMENTED)


def cancel_after_begin(stub):
    call = stub.StreamingInputCall.future(iter(Turns()), timeout=TIMEOUT)
    call.cancel()
    check(call.cancelled(), "it was not cancelled")
    same(call.code(), grpc.StatusCode.CANCELLED)


def cancel_after_first_response(stub):
    turns = Turns()
    call = stub.FullDuplexCall(iter(turns), timeout=TIMEOUT)
    turns.give(asking(31415, body=27182))
    zeros(next(call), 31415)
    call.cancel()
    turns.give(None)
    fails(lambda: next(call), grpc.StatusCode.CANCELLED)


def timeout_on_sleeping_server(stub):
    call = stub.FullDuplexCall(iter([asking(8, body=27182, interval_us=200000)]), timeout=0.001)
    fails(lambda: list(call), grpc.StatusCode.DEADLINE_EXCEEDED)


def expecting(is_compressed):
    request = pb.SimpleRequest()
    request.CopyFrom(LARGE)
    request.expect_compressed.value = is_compressed
    return request


def client_compressed_unary(stub):
    fails(lambda: stub.UnaryCall(expecting(True), timeout=TIMEOUT), grpc.StatusCode.INVALID_ARGUMENT)
    for is_compressed, compression in ((True, GZIP), (False, PLAIN)):
        zeros(stub.UnaryCall(expecting(is_compressed), timeout=TIMEOUT, compression=compression), 314159)


def client_compressed_streaming(stub):
    """grpcio compresses all messages of a call or none: a call for each."""
    probe = upload(27182, expected=True)
    fails(lambda: stub.StreamingInputCall(probe, timeout=TIMEOUT), grpc.StatusCode.INVALID_ARGUMENT)
    for is_compressed, compression in ((True, GZIP), (False, PLAIN)):
        requests = upload(27182, 45904, expected=is_compressed)
        reply = stub.StreamingInputCall(requests, timeout=TIMEOUT, compression=compression)
        same(reply.aggregated_payload_size, 73086)


def server_compressed_unary(stub):
    """grpcio reads compressed messages and doesn't tell which were; so below."""
    for is_compressed in (True, False):
        request = pb.SimpleRequest()
        request.CopyFrom(LARGE)
        request.response_compressed.value = is_compressed
        zeros(stub.UnaryCall(request, timeout=TIMEOUT), 314159)


def server_compressed_streaming(stub):
    request = asking(31415, 92653)
    for asked, is_compressed in zip(request.response_parameters, (True, False)):
        asked.compressed.value = is_compressed
    sizes = [len(reply.payload.body) for reply in stub.StreamingOutputCall(request, timeout=TIMEOUT)]
    same(sizes, [31415, 92653])


CASES = (
    empty_unary,
    large_unary,
    client_streaming,
    server_streaming,
    ping_pong,
    empty_stream,
    custom_metadata,
    status_code_and_message,
    special_status_message,
    unimplemented_method,
    unimplemented_service,
    cancel_after_begin,
    cancel_after_first_response,
    timeout_on_sleeping_server,
    client_compressed_unary,
    client_compressed_streaming,
    server_compressed_unary,
    server_compressed_streaming,
)


def open_channel(address, certificate=None):
    if certificate is None:
        return grpc.insecure_channel(address)
    credentials = grpc.ssl_channel_credentials(open(certificate, "rb").read())
    return grpc.secure_channel(address, credentials, (("grpc.ssl_target_name_override", "localhost"),))


def main(arguments):
    with open_channel(*arguments) as channel:
        stub = Stub(channel)
        for case in CASES:
            error = None
            try:
                case(stub)
            except Exception:
                error = traceback.format_exc()
            print(json.dumps({"name": case.__name__, "error": error}), flush=True)


main(sys.argv[1:])
