"""Serves gRPC's interop tests on a free loopback port and prints where: `server.py [CERTIFICATE KEY]`."""

import sys
import threading
import time
from concurrent import futures

import grpc

import interop_pb2 as pb
from service import INITIAL, METHODS, SERVICE, TRAILING


def echo(context):
    given = dict(context.invocation_metadata())
    if INITIAL in given:
        context.send_initial_metadata(((INITIAL, given[INITIAL]),))
    if TRAILING in given:
        context.set_trailing_metadata(((TRAILING, given[TRAILING]),))


def payload(size):
    return pb.Payload(body=bytes(size))


def end_with_asked(request, context):
    if request.HasField("response_status"):
        asked = request.response_status
        # `abort` takes grpcio's own names of the codes alone.
        context.abort(next(code for code in grpc.StatusCode if code.value[0] == asked.code), asked.message)


def compress_as_asked(context, is_asked):
    context.set_compression(grpc.Compression.Gzip if is_asked else grpc.Compression.NoCompression)


def empty_call(_, context):
    echo(context)
    return pb.Empty()


def unary_call(request, context):
    compress_as_asked(context, request.response_compressed.value)
    echo(context)
    end_with_asked(request, context)
    return pb.SimpleResponse(payload=payload(request.response_size))


def streaming_input_call(requests, context):
    echo(context)
    return pb.StreamingInputCallResponse(aggregated_payload_size=sum(len(each.payload.body) for each in requests))


def replies(request, context):
    for asked in request.response_parameters:
        time.sleep(asked.interval_us / 1e6)
        if not asked.compressed.value:
            context.disable_next_message_compression()
        yield pb.StreamingOutputCallResponse(payload=payload(asked.size))


def streaming_output_call(request, context):
    compress_as_asked(context, any(each.compressed.value for each in request.response_parameters))
    echo(context)
    yield from replies(request, context)


def full_duplex_call(requests, context):
    echo(context)
    for request in requests:
        end_with_asked(request, context)
        yield from replies(request, context)


SERVED = {
    "EmptyCall": empty_call,
    "UnaryCall": unary_call,
    "StreamingInputCall": streaming_input_call,
    "StreamingOutputCall": streaming_output_call,
    "FullDuplexCall": full_duplex_call,
}


def handler(name):
    kind, request, response = METHODS[name]
    build = getattr(grpc, f"{kind}_rpc_method_handler")
    return build(SERVED[name], request_deserializer=request.FromString, response_serializer=response.SerializeToString)


def main(files):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    handlers = {name: handler(name) for name in SERVED}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    if files:
        cert, key = (open(file, "rb").read() for file in files)
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(((key, cert),)))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"serving on 127.0.0.1:{port}", flush=True)
    threading.Event().wait()


main(sys.argv[1:])
