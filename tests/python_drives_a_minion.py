"""Drives a minion with nothing but Python's standard library.

Usage: python_drives_a_minion.py URL CA CERT KEY STRANGER_CERT STRANGER_KEY
"""

import datetime
import ssl
import sys
import time
import xmlrpc.client

url, ca, cert, key, stranger_cert, stranger_key = sys.argv[1:]


def proxy(chain, version=None):
    context = ssl.create_default_context(cafile=ca)
    # What Python 3.13 does by default.
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if version:
        context.maximum_version = version
    if chain:
        context.load_cert_chain(*chain)
    return xmlrpc.client.ServerProxy(url, context=context, allow_none=True, use_builtin_types=True)


server = proxy((cert, key))
background = getattr(server, "async")

# Introspection.
assert "test" in server.system.list_modules()
assert {"test.add", "jobs.wait", "system.multicall"} <= set(server.system.listMethods())
assert server.system.listMethods() == server.system.list_methods()
assert "add" in server.system.inventory()["test"]
assert "add" in server.system.grep("add")["test"]
assert "Adds two numbers" in server.system.methodHelp("test.add")
assert server.system.methodSignature("test.add") == [["int", "int", "int"]]
assert "add" in server.test.list_methods()
assert server.test.module_version()
assert server.test.module_api_version()
assert server.test.module_description()
arguments = server.test.get_method_args()["add"]["args"]
assert (arguments["a"]["type"], arguments["b"]["order"]) == ("int", 1), arguments

# Calls, plain and with what every kind of value there is.
assert server.test.add(1, 2) == 3
assert server.test.add("1", "2") == 3, "old command lines send strings"
assert server.test.bigint() == 17592186044416
value = {
    "nothing": None,
    "yes": True,
    "number": -7,
    "ratio": 1.5,
    "text": "<&>\n\t ünïcødé \U0001f600",
    "bytes": bytes(range(256)),
    "empty": ["", [], {}],
}
echoed = server.test.echo(value)
assert echoed == value, echoed
moment = datetime.datetime(2026, 7, 11, 22, 19)
try:
    assert server.test.echo(moment) in (moment, "20260711T22:19:00", "2026-07-11T22:19:00"), server.test.echo(moment)
except xmlrpc.client.Fault as fault:
    raise AssertionError(fault)

# Errors of a method are results, a request that cannot be read is a fault.
assert server.test.explode()[0] == "REMOTE_ERROR"
assert "khhhhhhaaaaaan" in server.test.explode()[2]
assert server.test.nope()[:2] == ["REMOTE_ERROR", "NoSuchMethod"]
assert server.test.add(1)[:2] == ["REMOTE_ERROR", "InvalidArguments"]
try:
    server.test.echo("\x1b[1m")
    raise AssertionError("a control character was accepted")
except xmlrpc.client.Fault as fault:
    assert fault.faultCode == 1 and "base64" in fault.faultString, fault
assert server.test.ping() == 1, "the connection goes on"

# Many calls in one request.
calls = xmlrpc.client.MultiCall(server)
calls.test.add(1, 2)
calls.test.ping()
assert tuple(calls()) == (3, 1)

# A job.
job = background.test.sleep(0.3)
assert job.endswith("-minion"), job
assert job in server.jobs.open_ids()
while server.jobs.job_status(job) == [0, -1]:
    time.sleep(0.02)
status, result = server.jobs.job_status(job)
assert status == 1 and isinstance(result, float), (status, result)
job = background.test.progress(3, 10)
assert server.jobs.wait(job, 30) == [1, 3]
assert server.jobs.get_progress(job) == [3, 3]
out, err = server.jobs.tail_output(job)
assert "step 3 of 3" in out, (out, err)
log, offset, ended = server.jobs.log(job, 0)
assert b"step 1 of 3" in log and offset > 0 and ended, (log, offset, ended)
assert server.jobs.job_status("1700000000-minion") == [2, 0]

# An older TLS.
assert proxy((cert, key), ssl.TLSVersion.TLSv1_2).test.ping() == 1

# Who may not call.
try:
    proxy((stranger_cert, stranger_key)).test.ping()
    raise AssertionError("a minion's certificate was let in")
except xmlrpc.client.Fault as fault:
    assert fault.faultCode == 1 and "nothing in this minion's policy lets it call" in fault.faultString, fault
try:
    proxy(None).test.ping()
    raise AssertionError("no certificate was let in")
except (ssl.SSLError, ConnectionError):
    pass

print("driven by Python", sys.version.split()[0])
