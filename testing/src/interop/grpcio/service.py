"""The wire contract of gRPC's interop tests, for grpcio: its methods, and the metadata that a server sends back."""

import interop_pb2 as pb

SERVICE = "grpc.testing.TestService"
INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"
UNARY, UPLOAD, DOWNLOAD, TALK = "unary_unary", "stream_unary", "unary_stream", "stream_stream"

METHODS = {
    "EmptyCall": (UNARY, pb.Empty, pb.Empty),
    "UnaryCall": (UNARY, pb.SimpleRequest, pb.SimpleResponse),
    "StreamingInputCall": (UPLOAD, pb.StreamingInputCallRequest, pb.StreamingInputCallResponse),
    "StreamingOutputCall": (DOWNLOAD, pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse),
    "FullDuplexCall": (TALK, pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse),
    "UnimplementedMethod": (UNARY, pb.Empty, pb.Empty),
}
