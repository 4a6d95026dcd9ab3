"""The contract of a Drawbridge connector, for one written in Python.

It holds what plugins/sdk is to a connector in Go, in so far as this connector
needs it: the handshake of go-plugin (a line on standard output, TLS by a
certificate of each end), proto/connector/v1 as a gRPC service, settings checked
against their JSON Schema, and faults for the person who must act. It needs
python3-grpcio, python3-protobuf and python3-cryptography of Debian, no more.

    agent --gRPC, mutual TLS, unix socket--> serve(Connector) --> your System

What may go wrong: a method raises Fault, which is what the person reads; any
other exception is UNAVAILABLE for a read and UNKNOWN for a write, and only its
type is told, for its text may hold a value. When the agent is gone, its stream
to go-plugin's broker ends, and so does the process.
"""

import base64
import datetime
import json
import logging
import os
import queue
import sys
import tempfile
import threading
import time
from concurrent import futures

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import connector_pb2 as pb

PROTOCOL = 1
COOKIE = ("DRAWBRIDGE_CONNECTOR", "b7d8b0c3-lower-the-bridge")
MAX_MESSAGE = 16 << 20
BATCH_RECORDS, BATCH_BYTES = 100, 256 << 10
AT_A_TIME = 32  # operations under way; the agent asks for fewer
FIRST_WAIT, LAST_WAIT = 60, 2  # seconds without an agent: at the start, and after it is gone

log = logging.getLogger("connector")


class Fault(Exception):
    """What the person who must act reads. It never holds a secret."""

    def __init__(self, outcome, cause, next_step, object="", attribute="", raw="", taken=False, found=None):
        super().__init__(cause)
        self.outcome, self.found = outcome, found
        self.fault = pb.Fault(cause=text(cause), next_step=text(next_step), object=text(object),
                              attribute=text(attribute), raw=text(raw), taken=taken)


def text(s):
    """Any text, fit for the wire."""
    return s.encode("utf-8", "replace").decode()


def verdict(error, otherwise):
    """The outcome and the fault of an exception."""
    if isinstance(error, Fault):
        return error.outcome, error.fault
    log.error("Unexpected %s", type(error).__name__, exc_info=not isinstance(error, OSError))
    if isinstance(error, OSError):
        return otherwise, pb.Fault(cause="the system refused: " + text(error.strerror or type(error).__name__),
                                   object=text(str(error.filename or "")), next_step="Let the agent's account do this.")
    return otherwise, pb.Fault(cause="the connector has a fault: " + type(error).__name__,
                               next_step="Report it with the agent's log; it is tried again by itself.")


class Result:
    """What an operation led to; obj is the object as it is now, or None."""

    def __init__(self, obj=None, unchanged=False):
        self.obj, self.unchanged = obj, unchanged


def record(obj, wanted=None):
    """An object as it goes up: what was asked for, in order, in the same bytes each time.

    obj is (class, id, address, {attribute: [values]})."""
    cls, ident, address, attributes = obj
    o = pb.Object(id=ident, address=address)
    setattr(o, "class", cls)
    for name in sorted(attributes):
        if wanted is None or name.lower() in wanted:
            o.attributes.add(name=name, values=attributes[name])
    return pb.Record(id=ident, object=o.SerializeToString(deterministic=True))


def check(schema, settings, secrets):
    """Every fault of the settings, in words."""
    faults = []
    properties = schema["properties"]
    for name in sorted(settings):
        if name not in properties:
            faults.append(f'"{name}" is no setting of this connector; it has ' + ", ".join(properties))
        elif properties[name].get("writeOnly"):
            faults.append(f'"{name}" is a secret and must not be in the settings')
        else:
            kinds = {"string": str, "boolean": bool, "integer": int}
            kind = kinds[properties[name]["type"]]
            if not isinstance(settings[name], kind) or kind is int and isinstance(settings[name], bool):
                faults.append(f'"{name}" must be a {properties[name]["type"]}')
    for name in schema.get("required", []):
        given = secrets if properties[name].get("writeOnly") else settings
        if not given.get(name):
            faults.append(f'"{name}" is missing: {properties[name]["description"]}')
    for name in sorted(secrets):
        if not properties.get(name, {}).get("writeOnly"):
            faults.append(f'secret "{name}" is not one of this connector')
    return faults


class Service:
    """proto/connector/v1 for one connector and the one system it is opened for."""

    def __init__(self, connector):
        self.connector, self.system = connector, None
        self.opening = threading.Lock()

    def opened(self, context):
        if self.system is None:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the system is not open")
        return self.system

    def Describe(self, request, context):
        c = self.connector
        return pb.DescribeResponse(protocol=min(request.protocol, PROTOCOL), name=c.name, version=c.version,
                                   capabilities=c.capabilities, settings_schema=json.dumps(c.schema))

    def Open(self, request, context):
        with self.opening:
            if self.system is not None:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the system is open already")
            secrets = dict(request.secrets)
            try:
                settings = json.loads(request.settings or "{}")
                faults = check(self.connector.schema, settings, secrets) if isinstance(settings, dict) else ["the settings must be an object"]
            except ValueError as e:
                faults = [f"the settings are no JSON: {e}"]
            if not faults:
                for name, p in self.connector.schema["properties"].items():
                    if "default" in p:
                        settings.setdefault(name, p["default"])
                try:
                    self.system = self.connector.open(settings, secrets)
                except Fault as e:
                    return pb.OpenResponse(fault=e.fault)
            if faults:
                return pb.OpenResponse(fault=pb.Fault(cause="the settings do not serve: " + "; ".join(faults),
                                                      next_step="Correct the settings of the system; every fault is named here."))
            return pb.OpenResponse()

    def Probe(self, request, context):
        steps = []
        for name, step in self.opened(context).probe():
            began = time.monotonic()
            s = pb.ProbeStep(name=name, outcome=pb.OUTCOME_DONE)
            try:
                s.detail = text(step() or "")
            except Exception as e:
                s.outcome, fault = verdict(e, pb.OUTCOME_UNAVAILABLE)
                s.fault.CopyFrom(fault)
            s.took.FromTimedelta(datetime.timedelta(seconds=time.monotonic() - began))
            steps.append(s)
            if s.outcome != pb.OUTCOME_DONE:
                break
        return pb.ProbeResponse(steps=steps)

    def Schema(self, request, context):
        return pb.SchemaResponse(classes=self.opened(context).classes())

    def Read(self, request, context):
        system = self.opened(context)
        wanted = {name.lower() for name in request.attributes}
        batch, size, end = pb.ReadResponse(), 0, pb.ReadEnd(outcome=pb.OUTCOME_DONE)
        if request.cookie:  # it cannot continue, so it gives no cookie, and takes none
            end.outcome, end.resync = pb.OUTCOME_CONFLICT, True
            end.fault.cause, end.fault.next_step = "this connector reads everything each time", "Nothing: everything is read again."
            yield pb.ReadResponse(end=end)
            return
        try:
            for obj, place, reason in system.read(request.classes):
                if obj is not None:
                    r = record(obj, wanted)
                    size += len(r.object)
                    batch.records.append(r)
                else:
                    batch.rejects.add(place=text(place), reason=text(reason))
                if len(batch.records) + len(batch.rejects) >= BATCH_RECORDS or size >= BATCH_BYTES:
                    yield batch
                    batch, size = pb.ReadResponse(), 0
        except Exception as e:
            end.outcome, fault = verdict(e, pb.OUTCOME_UNAVAILABLE)
            end.fault.CopyFrom(fault)
        batch.end.CopyFrom(end)
        yield batch

    def Find(self, request, context):
        system = self.opened(context)
        wanted = {name.lower() for name in request.return_attributes}
        try:
            found = system.find(getattr(request, "class"), request.attribute, set(request.values))
            return pb.FindResponse(outcome=pb.OUTCOME_DONE, records=[record(o, wanted) for o in found])
        except Exception as e:
            outcome, fault = verdict(e, pb.OUTCOME_UNAVAILABLE)
            return pb.FindResponse(outcome=outcome, fault=fault)

    def Apply(self, requests, context):
        system = self.opened(context)
        answers = queue.SimpleQueue()

        def take():
            try:
                with futures.ThreadPoolExecutor(AT_A_TIME) as pool:
                    for request in requests:
                        pool.submit(lambda r=request: answers.put(self.answer(system, r)))
            except grpc.RpcError:
                pass  # given up by the agent
            answers.put(None)

        threading.Thread(target=take, daemon=True).start()
        while (answer := answers.get()) is not None:
            yield answer

    def answer(self, system, request):
        op, r = request.operation, pb.ApplyResponse(tag=request.tag, outcome=pb.OUTCOME_DONE)
        wanted = {name.lower() for name in op.return_attributes}
        try:
            verb = op.WhichOneof("verb")
            method = getattr(system, verb or "", None)
            if method is None:
                raise Fault(pb.OUTCOME_INVALID, f"connector {self.connector.name} cannot carry out a {verb or 'verb of a later release'}",
                            "Remove it from the mapping, or update the connector on the agent's host.")
            result = method(getattr(op, "class"), op.id, getattr(op, verb))
            r.unchanged = result.unchanged
            if result.obj is not None:
                r.object.CopyFrom(record(result.obj, wanted))
        except Exception as e:
            r.outcome, fault = verdict(e, pb.OUTCOME_UNKNOWN)
            r.fault.CopyFrom(fault)
            if getattr(e, "found", None) is not None:
                r.object.CopyFrom(record(e.found, wanted))
        return r


def handlers(service, lifeline):
    """The gRPC services: the contract's, and those that go-plugin and an agent ask for."""
    def serialize(m):
        return m.SerializeToString()

    def method(name, kind, request):
        return kind(getattr(service, name), request_deserializer=request.FromString, response_serializer=serialize)

    raw = {"request_deserializer": None, "response_serializer": None}
    unary, down, both = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler, grpc.stream_stream_rpc_method_handler
    return (
        grpc.method_handlers_generic_handler("drawbridge.connector.v1.ConnectorService", {
            "Describe": method("Describe", unary, pb.DescribeRequest), "Open": method("Open", unary, pb.OpenRequest),
            "Probe": method("Probe", unary, pb.ProbeRequest), "Schema": method("Schema", unary, pb.SchemaRequest),
            "Read": method("Read", down, pb.ReadRequest), "Find": method("Find", unary, pb.FindRequest),
            "Apply": method("Apply", both, pb.ApplyRequest)}),
        grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": unary(lambda _, c: b"\x08\x01", **raw)}),  # SERVING
        grpc.method_handlers_generic_handler("plugin.GRPCBroker", {"StartStream": both(lifeline.hold, **raw)}),
        grpc.method_handlers_generic_handler("plugin.GRPCController", {"Shutdown": unary(lifeline.shutdown, **raw)}),
    )


class Lifeline:
    """Ends the process some time after the agent's stream is gone."""

    def __init__(self):
        self.held, self.timer, self.lock = 0, None, threading.Lock()
        self.wait(FIRST_WAIT)

    def wait(self, seconds):
        def end():
            with self.lock:
                if self.held == 0:
                    os._exit(0)
        self.timer = threading.Timer(seconds, end)
        self.timer.daemon = True
        self.timer.start()

    def hold(self, requests, context):
        with self.lock:
            self.held += 1
        try:
            for _ in requests:
                pass
        except grpc.RpcError:
            pass  # the agent is gone
        finally:
            with self.lock:
                self.held -= 1
            self.wait(LAST_WAIT)
        yield from ()

    def shutdown(self, request, context):
        threading.Timer(0.1, os._exit, [0]).start()
        return b""


def certificate():
    """A key and a certificate for this process alone, as go-plugin's AutoMTLS makes them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.utcnow()
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(minutes=1))
            .not_valid_after(now + datetime.timedelta(days=3650))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(key, hashes.SHA256()))
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()), cert


def serve(connector):
    """The main function of a connector: it serves until the agent ends it."""
    if os.environ.get(COOKIE[0]) != COOKIE[1] or "PLUGIN_CLIENT_CERT" not in os.environ:
        print(f"{connector.name} {connector.version}: {connector.summary}\n\nIt is started by a Drawbridge agent.\n\n"
              f"Its settings:\n{json.dumps(connector.schema, indent=2)}")
        return
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    key, cert = certificate()
    credentials = grpc.ssl_server_credentials([(key, cert.public_bytes(serialization.Encoding.PEM))],
                                              root_certificates=os.environ["PLUGIN_CLIENT_CERT"].encode(), require_client_auth=True)
    path = os.path.join(os.environ.get("PLUGIN_UNIX_SOCKET_DIR") or tempfile.mkdtemp(), f"vcard{os.getpid()}")
    server = grpc.server(futures.ThreadPoolExecutor(64), options=[
        ("grpc.max_receive_message_length", MAX_MESSAGE), ("grpc.max_send_message_length", MAX_MESSAGE)])
    server.add_generic_rpc_handlers(handlers(Service(connector), Lifeline()))
    server.add_secure_port("unix:" + path, credentials)
    server.start()
    der = base64.b64encode(cert.public_bytes(serialization.Encoding.DER)).decode().rstrip("=")
    print(f"1|1|unix|{path}|grpc|{der}", flush=True)
    server.wait_for_termination()
