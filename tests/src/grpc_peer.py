"""A server and a client of gRPC, for tests: methods of raw bytes, without a schema.

    server ADDRESS [CERTIFICATE KEY]   serves until its standard input ends
    client ADDRESS [CERTIFICATE]       calls as its standard input says, a line each, and prints every call's
                                       method, code and microseconds, then `done`

A line is METHOD THINK_MS COUNT AT_ONCE [DEADLINE_MS]. Metadata, messages and details of errors have a secret.
"""

import sys
import threading
import time
from concurrent import futures

import grpc

SECRET = "hunter2-of-the-test"
OPTIONS = [("grpc.enable_http_proxy", 0)]


def think(request):
    time.sleep(int(request.split(b" ")[0]) / 1000)


def tell(context):
    context.set_trailing_metadata((("x-trailer", SECRET),))


def get(request, context):
    think(request)
    tell(context)
    return request


def failing(code):
    def fail(request, context):
        think(request)
        context.abort(code, SECRET)

    return fail


def watch(request, context):
    """A stream: three messages, each after its think time."""
    for _ in range(3):
        think(request)
        yield request
    tell(context)


def broken(request, context):
    """A message, then an error."""
    yield request
    think(request)
    context.abort(grpc.StatusCode.INTERNAL, SECRET)


METHODS = {
    "/shop.v1.Orders/Get": grpc.unary_unary_rpc_method_handler(get),
    "/shop.v1.Orders/List": grpc.unary_unary_rpc_method_handler(get),
    "/shop.v1.Orders/Missing": grpc.unary_unary_rpc_method_handler(failing(grpc.StatusCode.NOT_FOUND)),
    "/shop.v1.Stock/Closed": grpc.unary_unary_rpc_method_handler(failing(grpc.StatusCode.UNAVAILABLE)),
    "/shop.v1.Stock/Watch": grpc.unary_stream_rpc_method_handler(watch),
    "/shop.v1.Stock/Broken": grpc.unary_stream_rpc_method_handler(broken),
}


class Methods(grpc.GenericRpcHandler):
    def service(self, call):
        return METHODS.get(call.method)


def serve(address, certificate=None, key=None):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=64), options=OPTIONS)
    server.add_generic_rpc_handlers((Methods(),))
    if certificate is None:
        server.add_insecure_port(address)
    else:
        pair = (open(key, "rb").read(), open(certificate, "rb").read())
        server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop(0)


def call(channel, method, think_ms, deadline_ms=None):
    request = f"{think_ms} {SECRET}".encode()
    options = {"timeout": deadline_ms and deadline_ms / 1000, "metadata": (("authorization", f"Bearer {SECRET}"),)}
    is_stream = method in ("/shop.v1.Stock/Watch", "/shop.v1.Stock/Broken")
    begin = time.monotonic()
    try:
        if is_stream:
            for _ in channel.unary_stream(method)(request, **options):
                pass
        else:
            channel.unary_unary(method)(request, **options)
        code = grpc.StatusCode.OK
    except grpc.RpcError as error:
        code = error.code()
    took = round((time.monotonic() - begin) * 1e6)
    return f"{method} {code.name} {took}"


def ask(address, certificate=None):
    if certificate is None:
        channel = grpc.insecure_channel(address, options=OPTIONS)
    else:
        credentials = grpc.ssl_channel_credentials(open(certificate, "rb").read())
        options = [*OPTIONS, ("grpc.ssl_target_name_override", "server")]
        channel = grpc.secure_channel(address, credentials, options=options)
    with futures.ThreadPoolExecutor(max_workers=64) as threads:
        for line in sys.stdin:
            method, *numbers = line.split()
            think_ms, count, at_once, *deadline_ms = map(int, numbers)
            free = threading.Semaphore(at_once)

            def one():
                with free:
                    return call(channel, method, think_ms, *deadline_ms)

            for done in [threads.submit(one) for _ in range(count)]:
                print(done.result())
            print("done", flush=True)


if __name__ == "__main__":
    {"server": serve, "client": ask}[sys.argv[1]](*sys.argv[2:])
