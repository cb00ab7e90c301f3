"""Section B: HTTP, with every tolerance that clients in the field need."""

import base64
import socket
import subprocess
import urllib.parse

import identities
import pytest
import scepmsg
from catalogue import quirk, requirement


def enrols(shared, target, request, **http):
    answer = shared.http(http.pop("method", "GET"), target, **http)
    assert answer.status == 200, (answer.status, answer.body)
    scepmsg.Reply(answer.body).check(request).issued(request)
    return answer


def encoded(message):
    return base64.b64encode(message).decode()


def with_plus_and_slash(shared, alias="open"):
    """A request whose base64 holds '+', '/' and '='."""
    while True:
        request = shared.request(alias)
        message = request.build()
        if {"+", "/", "="} <= set(encoded(message)):
            return request, message


def raw(shared, data):
    """What the gateway says to these bytes before it closes."""
    with socket.create_connection(("127.0.0.1", shared.port), 60) as connection:
        connection.sendall(data)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


@requirement("B-01")
def test_B_01_post_form(shared):
    request = shared.request("open")
    enrols(shared, "/scep/open?operation=PKIOperation", request, method="POST", body=request.build())


@requirement("B-02")
def test_B_02_get_form(shared):
    request, message = with_plus_and_slash(shared)
    enrols(shared, "/scep/open?operation=PKIOperation&message=" + urllib.parse.quote(encoded(message), safe=""), request)


@requirement("B-02a")
def test_B_02a_operations(shared):
    for operation in ("GetCACert", "GetCACaps"):
        assert shared.get("open", operation).status == 200
    assert shared.get("open", "GetNextCACert").status in (400, 404)  # not served, and not advertised
    assert shared.get("open", "Nonsense").status == 400


@requirement("B-03")
@pytest.mark.parametrize("path", ["/scep/open", "/scep/open/", "/scep/open/pkiclient.exe", "/scep/open/cgi-bin/pkiclient.exe",
                                  "/scep/OPEN", "/scep/open/a/b/c", "//scep/open", "/scep//open",
                                  "/ejbca/publicweb/apply/scep/open/pkiclient.exe"])
def test_B_03_paths(shared, path):
    assert shared.http("GET", f"{path}?operation=GetCACert").body == shared.get("open", "GetCACert").body
    request = shared.request("open")
    enrols(shared, f"{path}?operation=PKIOperation", request, method="POST", body=request.build())


@requirement("B-04")
@pytest.mark.parametrize("path", ["/cgi-bin/pkiclient.exe", "/certsrv/mscep/mscep.dll", "/CertSrv/MSCEP/mscep.dll"])
def test_B_04_paths_given_to_an_alias(shared, path):
    answer = shared.http("GET", f"{path}?operation=GetCACert")
    assert answer.status == 200 and answer.body == shared.get("extra", "GetCACert").body


@requirement("B-04")
def test_B_04_hosts_given_to_an_alias(gateways):
    open_alias = {"backend": "ca", "challenge": {"type": "none"}}
    gateway = gateways({"one": open_alias | {"hosts": ["one.example"], "paths": ["/cgi-bin/pkiclient.exe"]},
                        "two": open_alias | {"hosts": ["two.example"], "paths": ["/cgi-bin/pkiclient.exe"]}}).start()
    for alias in ("one", "two"):
        for host in (f"{alias}.example", f"{alias.upper()}.Example:8080"):
            answer = gateway.http("GET", "/cgi-bin/pkiclient.exe?operation=GetCACert", headers={"Host": host})
            assert answer.status == 200 and scepmsg.degenerate_certificates(answer.body)[0] == gateway.ra(alias)
    assert gateway.http("GET", "/cgi-bin/pkiclient.exe?operation=GetCACert", headers={"Host": "three.example"}).status == 404


@requirement("B-05")
def test_B_05_get_is_answered_beside_post(shared):
    test_B_02_get_form(shared)


@requirement("B-06", "B-07")
def test_B_06_07_percent_escapes(shared):
    request, message = with_plus_and_slash(shared)
    text = encoded(message).replace("+", "%2b").replace("/", "%2F").replace("=", "%3D")
    enrols(shared, f"/scep/open?operation=PKIOperation&message={text}", request)


@requirement("B-08")
def test_B_08_raw_plus_stays_plus(shared):
    request, message = with_plus_and_slash(shared)
    enrols(shared, f"/scep/open?operation=PKIOperation&message={encoded(message)}", request)


@requirement("B-09")
def test_B_09_space_means_plus(shared):
    request, message = with_plus_and_slash(shared)
    enrols(shared, f"/scep/open?operation=PKIOperation&message={encoded(message).replace('+', '%20')}", request)


@requirement("B-10")
@pytest.mark.parametrize("break_", ["%0A", "%0D%0A", "%0a", "%09"])
def test_B_10_line_breaks(shared, break_):
    request, message = with_plus_and_slash(shared)
    text = encoded(message)
    lines = break_.join(urllib.parse.quote(text[at:at + 64], safe="") for at in range(0, len(text), 64)) + break_
    enrols(shared, f"/scep/open?operation=PKIOperation&message={lines}", request)


@requirement("B-11")
@pytest.mark.parametrize("padding", ["", "=", "%3D"])
def test_B_11_base64url(shared, padding):
    request, message = with_plus_and_slash(shared)
    text = base64.urlsafe_b64encode(message).decode()
    stripped = text.rstrip("=")
    enrols(shared, f"/scep/open?operation=PKIOperation&message={stripped}{padding * (len(text) - len(stripped))}", request)


@requirement("B-12")
def test_B_12_escaped_twice(shared):
    request, message = with_plus_and_slash(shared)
    text = urllib.parse.quote(urllib.parse.quote(encoded(message), safe=""), safe="")
    enrols(shared, f"/scep/open?operation=PKIOperation&message={text}", request)


@requirement("B-13")
@quirk("60")
def test_B_13_long_request_lines(shared):
    identity = identities.Identity()
    csr = identities.csr(identity.key, sans=[("dns", f"name{n}.{'x' * 50}.example") for n in range(60)])
    request = shared.request("open", identity=identity, csr=csr, certificates=[identity.certificate] * 3)
    text = urllib.parse.quote(encoded(request.build()), safe="")
    assert len(text) > 9000
    enrols(shared, f"/scep/open?operation=PKIOperation&message={text}", request)
    assert shared.http("GET", "/scep/open?operation=PKIOperation&message=" + "A" * 20000).status == 400
    assert shared.http("GET", "/scep/open?operation=PKIOperation&message=" + "A" * 70000).status == 414


@requirement("B-14")
def test_B_14_post_without_operation(shared):
    request = shared.request("open")
    enrols(shared, "/scep/open", request, method="POST", body=request.build())


@requirement("B-15")
@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "text/html", "application/x-www-form-urlencoded"])
def test_B_15_any_content_type(shared, content_type):
    request = shared.request("open")
    enrols(shared, "/scep/open?operation=PKIOperation", request, method="POST", body=request.build(),
           headers={"Content-Type": content_type} if content_type else {})


@requirement("B-16")
@quirk("44")
def test_B_16_reply_is_binary(shared):
    answer = shared.post("open", shared.request("open").build())
    assert answer.headers["content-type"] == "application/x-pki-message" and answer.body[0] == 0x30


@requirement("B-17")
def test_B_17_failure_is_http_200(shared):
    answer = shared.post("demo", shared.request("demo", challenge="wrong").build())
    assert answer.status == 200 and scepmsg.Reply(answer.body).status == scepmsg.FAILURE


@requirement("B-18")
def test_B_18_errors_without_cert_rep(shared):
    assert shared.post("open", b"nonsense").status == 400
    assert shared.get("nobody", "GetCACaps").status == 404
    refused = shared.http("PUT", "/scep/open?operation=GetCACaps")
    assert refused.status == 405 and refused.headers["allow"]
    assert shared.post("open", bytes(1 << 20)).status == 413


@requirement("B-19")
def test_B_19_parameters_in_any_order_and_case(shared):
    caps = shared.get("open", "GetCACaps").body
    for query in ("message=&operation=GetCACaps", "operation=getcacaps", "OPERATION=GETCACAPS", "x=1&operation=GetCACaps&y=2",
                  "operation=GetCACaps&message=", "operation=GetCACaps&&", "&operation=GetCACaps", "operation=GetCACaps&message"):
        answer = shared.http("GET", f"/scep/open?{query}")
        assert (answer.status, answer.body) == (200, caps), query
    request = shared.request("open")
    text = urllib.parse.quote(encoded(request.build()), safe="")
    enrols(shared, f"/scep/open?message={text}&operation=PKIOperation&junk=1", request)


@requirement("B-20")
def test_B_20_plain_http_is_enough(shared):
    shared.enrol("demo")


@requirement("B-21")
def test_B_21_http_1_0_and_connection_close(shared):
    wanted = shared.get("open", "GetCACaps").body
    for text in (b"GET /scep/open?operation=GetCACaps HTTP/1.0\r\n\r\n",
                 b"GET /scep/open?operation=GetCACaps HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
        answer = raw(shared, text)
        assert b" 200 " in answer.split(b"\r\n")[0] and answer.endswith(wanted)


@requirement("B-21")
@pytest.mark.parametrize("option", [("--http1.0",), ("-H", "Expect: 100-continue"), ("-H", "Transfer-Encoding: chunked")])
def test_B_21_curl(shared, tmp_path, option):
    request = shared.request("open")
    (tmp_path / "message").write_bytes(request.build())
    done = subprocess.run(["curl", "-sS", "--max-time", "60", *option, "--data-binary", f"@{tmp_path}/message",
                           shared.url("open") + "?operation=PKIOperation"], capture_output=True, check=True)
    scepmsg.Reply(done.stdout).check(request).issued(request)


@requirement("B-22")
def test_B_22_no_store(shared):
    request = shared.request("open")
    for answer in (shared.post("open", request.build()),
                   shared.get("open", "PKIOperation", urllib.parse.quote(encoded(request.build()), safe=""))):
        assert answer.headers["cache-control"] == "no-store"


@requirement("B-23")
def test_B_23_bodies_are_bounded(shared):
    assert shared.post("open", b"\x30" * (257 * 1024)).status == 413


def test_B_24_head_has_no_body(shared):
    answer = raw(shared, b"HEAD /scep/open?operation=GetCACaps HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 200 " in head.split(b"\r\n")[0] and body == b""


def test_B_25_requests_on_one_connection(shared):
    """Kept and pipelined connections."""
    one = b"GET /scep/open?operation=GetCACaps HTTP/1.1\r\nHost: x\r\n\r\n"
    last = one.replace(b"Host: x", b"Host: x\r\nConnection: close")
    answer = raw(shared, one * 4 + last)
    assert answer.count(b"HTTP/1.1 200") == 5


@requirement("B-23")
@pytest.mark.parametrize("start", [b"", b"GET /scep/demo?operation=GetCACaps HTTP/1.1\r\n",
                                   b"POST /scep/demo?operation=PKIOperation HTTP/1.1\r\nContent-Length: 9999\r\n\r\n0"],
                         ids=["silent", "headers", "body"])
def test_B_23_slow_senders_are_cut_off(gateways, start):
    """Whoever does not finish within the deadline is left; that this returns at all is what is asserted."""
    gateway = gateways(limits={"request_deadline": "1s"}).start()
    with socket.create_connection(("127.0.0.1", gateway.port), 60) as connection:
        connection.sendall(start)
        while connection.recv(65536):
            pass
    assert gateway.get("demo", "GetCACaps").status == 200


@requirement("Y-12")
def test_Y_12_md5_over_http_1_0(shared):
    """An old sscep that found no keyword of its own: HTTP/1.0, line breaks in the base64, MD5."""
    request = shared.request("open", digest="md5", transaction_id="0" * 32)
    text = encoded(request.build())
    lines = "%0A".join(urllib.parse.quote(text[at:at + 64], safe="") for at in range(0, len(text), 64)) + "%0A"
    head, _, body = raw(shared, f"GET /scep/open?operation=PKIOperation&message={lines} HTTP/1.0\r\n\r\n".encode()).partition(b"\r\n\r\n")
    assert b" 200 " in head.split(b"\r\n")[0]
    assert scepmsg.Reply(body).check(request).fail_info == scepmsg.BAD_ALG
