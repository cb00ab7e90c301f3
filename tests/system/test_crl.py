"""Revocation lists as the world sees them: revoked with the command line, fetched with curl, checked with openssl."""

import contextlib
import datetime
import email.utils
import subprocess
import time

import identities
import pytest
import redis_servers
import scepmsg
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from gateway import PATIENCE, eventually
from replicas import Replicas

OPEN = {"backend": "ca", "challenge": {"type": "none"}}
CA = {"type": "local_ca", "key_type": "rsa-2048"}


def run(*command, good=True):
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode == 0) is good, (command, done.stdout, done.stderr)
    return done.stdout + done.stderr


def page(gateway, name, **headers):
    return gateway.http("GET", f"/pki/{name}", headers={key.replace("_", "-"): value for key, value in headers.items()})


def crl(gateway, name="ca"):
    """The published list; checked against the CA that is published beside it."""
    answer = page(gateway, f"{name}.crl")
    if answer.status == 404:
        return None
    assert (answer.status, answer.headers["content-type"]) == (200, "application/pkix-crl")
    found = x509.load_der_x509_crl(answer.body)
    assert found.is_signature_valid(authority(gateway, name).public_key())
    return found


def authority(gateway, name="ca"):
    answer = page(gateway, f"{name}.cer")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/pkix-cert")
    return x509.load_der_x509_certificate(answer.body)


def number(found):
    return found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def key_id(certificate):
    return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex()


def serial_of(certificate):
    return f"{identities.load(certificate).serial_number:x}"


def entry(gateway, certificate, name="ca"):
    found = crl(gateway, name)
    return None if found is None else found.get_revoked_certificate_by_serial_number(identities.load(certificate).serial_number)


def reason(row):
    with contextlib.suppress(x509.ExtensionNotFound):
        return row.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
    return None


def revoke(gateway, certificate, *options, alias="demo", verb="revoke"):
    gateway.ask("certificate", verb, "--alias", alias, *options, serial_of(certificate))


def start(gateways, aliases=None, **backend):
    gateway = gateways(aliases or {"demo": OPEN}, backends={"ca": CA | backend}).start()
    eventually(lambda: crl(gateway) is not None, "the first list")
    return gateway


# ---- what is on it ---------------------------------------------------------------------------------------

def test_there_is_a_list_before_anybody_is_revoked(gateways):
    gateway = start(gateways)
    found = crl(gateway)
    assert number(found) == 1 and len(found) == 0
    assert found.next_update - found.last_update == datetime.timedelta(days=7)
    assert found.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier.hex() == key_id(authority(gateway))
    published = eventually(lambda: gateway.audit("crl.published"), "the audit trail says so")
    assert published[0]["details"] == {"backend": "ca", "ca": key_id(authority(gateway)), "number": 1, "entries": 0}


def test_openssl_refuses_what_was_revoked(gateways, tmp_path):
    gateway = start(gateways)
    good, bad = gateway.enrol()[2], gateway.enrol()[2]
    revoke(gateway, bad, "--reason", "keyCompromise")
    row = eventually(lambda: entry(gateway, bad), "the revoked certificate is on the list")
    assert reason(row) == "keyCompromise" and entry(gateway, good) is None
    base = f"http://127.0.0.1:{gateway.port}/pki/"
    run("curl", "-sf", base + "ca.crl", "-o", str(tmp_path / "a.crl"))
    run("curl", "-sf", base + "ca.cer", "-o", str(tmp_path / "ca.cer"))
    run("openssl", "x509", "-inform", "der", "-in", str(tmp_path / "ca.cer"), "-out", str(tmp_path / "ca.pem"))
    run("openssl", "crl", "-inform", "der", "-in", str(tmp_path / "a.crl"), "-out", str(tmp_path / "crl.pem"))
    assert "verify OK" in run("openssl", "crl", "-in", str(tmp_path / "crl.pem"), "-CAfile", str(tmp_path / "ca.pem"), "-verify", "-noout")
    for certificate, passes in ((good, True), (bad, False)):
        (tmp_path / "c.pem").write_bytes(identities.load(certificate).public_bytes(serialization.Encoding.PEM))
        said = run("openssl", "verify", "-crl_check", "-CAfile", str(tmp_path / "ca.pem"), "-CRLfile", str(tmp_path / "crl.pem"),
                   str(tmp_path / "c.pem"), good=passes)
        assert passes or "certificate revoked" in said


def test_a_hold_comes_and_goes(gateways):
    gateway = start(gateways)
    certificate = gateway.enrol()[2]
    revoke(gateway, certificate, verb="hold")
    assert reason(eventually(lambda: entry(gateway, certificate), "on hold")) == "certificateHold"
    first = number(crl(gateway))
    revoke(gateway, certificate, verb="release")
    eventually(lambda: entry(gateway, certificate) is None, "released")
    assert number(crl(gateway)) > first
    revoke(gateway, certificate)
    assert reason(eventually(lambda: entry(gateway, certificate), "revoked for good")) is None


@pytest.mark.parametrize("key_type", ["rsa-2048", "ec-p256", "ec-p384"])
def test_every_kind_of_ca(gateways, key_type):
    gateway = start(gateways, key_type=key_type)
    certificate = gateway.enrol()[2]
    revoke(gateway, certificate)
    eventually(lambda: entry(gateway, certificate), "revoked")


def test_all_aliases_of_a_ca_are_on_one_list(gateways):
    gateway = start(gateways, {"demo": OPEN, "other": OPEN})
    certificates = {alias: gateway.enrol(alias)[2] for alias in ("demo", "other")}
    for alias, certificate in certificates.items():
        revoke(gateway, certificate, alias=alias)
    for certificate in certificates.values():
        eventually(lambda certificate=certificate: entry(gateway, certificate), "revoked")
    del gateway.aliases["other"]  # what it revoked stays revoked
    gateway.restart()
    third = gateway.enrol()[2]
    revoke(gateway, third)
    eventually(lambda: entry(gateway, third), "revoked")
    assert all(entry(gateway, certificate) for certificate in certificates.values())


def test_lists_come_on_schedule(gateways):
    gateway = start(gateways, crl={"interval": "2s", "validity": "5s"})
    eventually(lambda: number(crl(gateway)) >= 3, "the third list, though nothing was revoked")


def test_numbers_go_on_after_a_restart(gateways):
    gateway = start(gateways)
    certificate = gateway.enrol()[2]
    revoke(gateway, certificate)
    eventually(lambda: entry(gateway, certificate), "revoked")
    before = page(gateway, "ca.crl").body
    gateway.restart()
    eventually(lambda: crl(gateway) is not None, "the list is taken over")
    assert page(gateway, "ca.crl").body == before


def test_a_revocation_survives_a_crash_before_its_list(gateways):
    gateway = start(gateways)
    certificates = [gateway.enrol()[2] for _ in range(4)]
    for certificate in certificates:
        revoke(gateway, certificate)
        gateway.kill()
        gateway.start()
    for certificate in certificates:
        eventually(lambda certificate=certificate: entry(gateway, certificate), "revoked, whatever happened")


# ---- where it is -----------------------------------------------------------------------------------------

def test_certificates_point_to_what_is_published(gateways):
    gateway = gateways({"demo": OPEN})
    base = f"http://127.0.0.1:{gateway.port}/pki/"
    gateway.overrides["backends"] = {"ca": CA | {"profile": {"crl_urls": [base + "{ca}.crl"], "issuer_urls": [base + "{ca}.cer"]}}}
    gateway.start()
    eventually(lambda: crl(gateway) is not None, "the first list")
    certificate = identities.load(gateway.enrol()[2])
    points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    urls = [points[0].full_name[0].value, access[0].access_location.value]
    assert urls == [f"{base}{key_id(authority(gateway))}.{ending}" for ending in ("crl", "cer")]
    assert run("curl", "-sf", "-o", "/dev/null", "-w", "%{http_code}", urls[0]) == "200"
    assert page(gateway, urls[1].rsplit("/", 1)[1]).body == page(gateway, "ca.cer").body


def test_unknown_names_are_nobodys(gateways):
    gateway = start(gateways)
    unknown = gateway.http("GET", "/scep/nobody?operation=GetCACaps")
    for path in ("/pki/nobody.crl", "/pki/ca", "/pki/ca.pem", "/pki/", "/pki", "/pki/x/ca.crl", "/pki/.crl", "/pki/CA.crl",
                 "/pki/..%2fca.crl", "/other/ca.crl"):
        answer = gateway.http("GET", path)
        assert (answer.status, answer.body) == (404, unknown.body), path
    posted = gateway.http("POST", "/pki/ca.crl", b"x")
    assert (posted.status, posted.headers["allow"]) == (405, "GET, HEAD")


def test_caches_are_told_what_they_need(gateways):
    gateway = start(gateways)
    answer = page(gateway, "ca.crl")
    tag, modified = answer.headers["etag"], answer.headers["last-modified"]
    assert answer.headers["cache-control"] == "public, max-age=3600"
    lasts = email.utils.parsedate_to_datetime(answer.headers["expires"]) - email.utils.parsedate_to_datetime(answer.headers["date"])
    assert abs(lasts.total_seconds() - 3600) <= 2
    for known in ({"If_None_Match": tag}, {"If_None_Match": f'"x", W/{tag}'}, {"If_None_Match": "*"}, {"If_Modified_Since": modified}):
        again = page(gateway, "ca.crl", **known)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag), known
    old = email.utils.format_datetime(email.utils.parsedate_to_datetime(modified) - datetime.timedelta(seconds=1), usegmt=True)
    for unknown in ({"If_None_Match": '"x"'}, {"If_None_Match": '"x"', "If_Modified_Since": modified}, {"If_Modified_Since": old},
                    {"If_Modified_Since": "yesterday"}):
        assert page(gateway, "ca.crl", **unknown).status == 200, unknown
    head = gateway.http("HEAD", "/pki/ca.crl")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(answer.body)))
    certificate = gateway.enrol()[2]
    revoke(gateway, certificate)
    eventually(lambda: entry(gateway, certificate), "revoked")
    assert page(gateway, "ca.crl", If_None_Match=tag).status == 200
    cer = page(gateway, "ca.cer")
    assert page(gateway, "ca.cer", If_None_Match=cer.headers["etag"]).status == 304


def test_two_lists_never_have_the_same_date(gateways):
    gateway = start(gateways)
    for certificate in [gateway.enrol()[2] for _ in range(4)]:
        before = page(gateway, "ca.crl")
        revoke(gateway, certificate)
        eventually(lambda certificate=certificate: entry(gateway, certificate), "revoked")
        assert page(gateway, "ca.crl", If_Modified_Since=before.headers["last-modified"]).status == 200


def test_no_cache_keeps_a_list_beyond_the_next(gateways):
    gateway = start(gateways, crl={"interval": "30s", "validity": "60s"})
    age = int(page(gateway, "ca.crl").headers["cache-control"].rsplit("=", 1)[1])
    assert 0 <= age <= 30


def test_publishing_can_be_moved_and_switched_off(gateways):
    gateway = gateways({"demo": OPEN}, publish={"path": "/certs", "max_age": "1m"}).start()
    answer = eventually(lambda: (found := gateway.http("GET", "/certs/ca.crl")).status == 200 and found, "the list")
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert gateway.http("GET", "/pki/ca.crl").status == 404
    gateway.overrides["publish"] = {"enabled": False}
    gateway.write_settings()
    gateway.reload()
    eventually(lambda: gateway.http("GET", "/certs/ca.crl").status == 404, "nothing is published")
    gateway.enrol()


@pytest.mark.parametrize(("settings", "said"), [
    ({"publish": {"path": "/scep/pki"}}, "where aliases are found"),
    ({"aliases": {"demo": OPEN | {"paths": ["/pki/demo"]}}}, "where lists and CA certificates are published"),
    ({"aliases": {"demo": OPEN | {"paths": ["/PKI"]}}}, "where lists and CA certificates are published"),
])
def test_paths_are_not_shared_with_aliases(gateways, settings, said):
    gateway = gateways(settings.get("aliases", {"demo": OPEN}), **{key: value for key, value in settings.items() if key != "aliases"})
    gateway.write_settings()
    done = gateway.tool("check", "--config", str(gateway.settings_file), check=False)
    assert done.returncode == 1 and said in done.stdout + done.stderr, (done.stdout, done.stderr)


def test_a_reload_brings_and_takes_backends(gateways):
    gateway = start(gateways)
    before = page(gateway, "ca.crl").body
    gateway.overrides["backends"] = {"ca": CA | {"profile": {"validity": "10d"}}, "second": CA}
    gateway.write_settings()
    gateway.reload()
    eventually(lambda: crl(gateway, "second") is not None, "the list of the new backend")
    assert page(gateway, "ca.crl").body == before, "the same CA goes on with its list"
    gateway.overrides["backends"] = {"ca": CA}
    gateway.write_settings()
    gateway.reload()
    eventually(lambda: page(gateway, "second.crl").status == 404, "it is gone")


def test_what_a_monitor_sees(gateways):
    gateway = start(gateways)
    certificate = gateway.enrol()[2]
    revoke(gateway, certificate)
    eventually(lambda: entry(gateway, certificate), "revoked")
    found, metrics = crl(gateway), gateway.metrics()
    labels = f'{{backend="ca",ca="{key_id(authority(gateway))}"}}'
    assert metrics["scepgate_crl_number" + labels] == number(found)
    assert metrics["scepgate_crl_entries" + labels] == 1
    assert metrics["scepgate_crl_next_update_seconds" + labels] == found.next_update.replace(tzinfo=datetime.timezone.utc).timestamp()


# ---- a CA without cRLSign --------------------------------------------------------------------------------

def test_a_ca_that_may_not_sign_lists_does_everything_else(gateways, tmp_path):
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=No lists", "-days", "30", "-keyout",
        str(tmp_path / "k.pem"), "-out", str(tmp_path / "c.pem"), "-addext", "keyUsage=critical,keyCertSign")
    gateway = gateways({"demo": OPEN}, backends={"ca": {"type": "local_ca", "certificate": str(tmp_path / "c.pem"),
                                                        "key": str(tmp_path / "k.pem")}}).start()
    certificate = gateway.enrol()[2]
    revoke(gateway, certificate)
    eventually(lambda: "crl.refused" in gateway.log(), "the log says why there is no list")
    assert "lacks cRLSign" in gateway.log()
    assert page(gateway, "ca.crl").status == 404 and page(gateway, "ca.cer").status == 200
    assert gateway.admin("/readyz").status == 200
    eventually(lambda: not gateway.query("SELECT 1 FROM obligation WHERE kind = 'crl.publish'"), "nothing is left to do")


# ---- a CA follows another --------------------------------------------------------------------------------

def test_the_list_of_the_ca_before_goes_on(gateways):
    gateway = gateways({"demo": OPEN})
    gateway.state.mkdir()
    for name in ("old", "new"):
        gateway.tool("ca", "init", "--key", f"{gateway.folder}/{name}.key", "--cert", f"{gateway.folder}/{name}.pem", "--key-type",
                     "rsa-2048", "--subject", f"CN={name} CA")
    ca = {"type": "local_ca", "certificate": f"{gateway.folder}/old.pem", "key": f"{gateway.folder}/old.key"}
    switch = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=12)
    gateway.overrides["backends"] = {"ca": ca | {"successor": {
        "certificate": f"{gateway.folder}/new.pem", "key": f"{gateway.folder}/new.key", "from": switch.strftime("%Y-%m-%dT%H:%M:%SZ")}}}
    gateway.start()
    eventually(lambda: crl(gateway) is not None, "the first list")
    old, certificate = key_id(authority(gateway)), gateway.enrol()[2]
    eventually(lambda: key_id(authority(gateway)) != old, "the successor is in charge, and published under the backend's name")
    revoke(gateway, certificate)
    eventually(lambda: entry(gateway, certificate, old), "what the old CA issued is on the old CA's list")
    assert entry(gateway, certificate) is None
    assert crl(gateway, old).issuer.rfc4514_string() == "CN=old CA"


# ---- renewal ---------------------------------------------------------------------------------------------

def test_renewals_know_what_other_aliases_revoked(gateways):
    rule = {"unrecorded": True, "crl": {"from_backend": True}}
    gateway = start(gateways, {"demo": OPEN, "other": OPEN | {"renewal": rule}})

    def renewal(old):
        identity = identities.Identity(private=old[0].identity.key, certificate=old[2])
        request = gateway.request("other", identity=identity, csr=identities.csr(identity.key), message_type="17")
        return gateway.reply(request, "other").status

    good, bad = gateway.enrol("demo"), gateway.enrol("demo")
    eventually(lambda: renewal(good) == scepmsg.SUCCESS, "the backend's list is known, and says nothing against it")
    revoke(gateway, bad[2])
    eventually(lambda: entry(gateway, bad[2]), "revoked")
    eventually(lambda: renewal(bad) == scepmsg.FAILURE, "what the other alias revoked is not renewed here")


# ---- replicas --------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def redis():
    with redis_servers.start("single") as servers:
        yield servers


def test_replicas_publish_one_list(tmp_path, redis):
    fleet = Replicas(tmp_path / "fleet", redis, {"demo": OPEN}, count=2, store={"prefix": "crl:"}).start()
    try:
        first, second = fleet.gateways
        for n, revoker in enumerate((first, second, first, second)):
            certificate = (second, first)[n % 2].enrol()[2]
            revoke(revoker, certificate)
            for gateway in fleet.gateways:
                eventually(lambda gateway=gateway, certificate=certificate: entry(gateway, certificate), "revoked at both")
        eventually(lambda: page(first, "ca.crl").body == page(second, "ca.crl").body, "the same list")
        assert page(first, "ca.crl").headers["etag"] == page(second, "ca.crl").headers["etag"]
        assert len(crl(first)) == 4
        numbers = [row["details"]["number"] for row in first.audit("crl.published")]
        assert numbers == sorted(set(numbers)), "every number was given once"
        second.kill()
        certificate = first.enrol()[2]
        revoke(first, certificate)
        eventually(lambda: entry(first, certificate), "one goes on alone")
        second.start()
        eventually(lambda: entry(second, certificate), "and the other takes it over")
    finally:
        fleet.close()


def test_a_store_that_is_away_is_tried_again(tmp_path, redis):
    fleet = Replicas(tmp_path / "fleet", redis, {"demo": OPEN}, count=1, store={"prefix": "away:"}).start()
    try:
        gateway = fleet.gateways[0]
        certificate = gateway.enrol()[2]
        eventually(lambda: crl(gateway) is not None, "the first list")
        redis.pause()
        try:
            eventually(lambda: "crl.failed" in gateway.log(), "the trouble is said")
            assert crl(gateway) is not None, "what is there stays published"
            time.sleep(3)
            assert gateway.log().count("crl.failed") == 1, "and once is enough"
        finally:
            redis.resume()
        eventually(lambda: "crl.recovered" in gateway.log(), "and so is its end")
        revoke(gateway, certificate)
        eventually(lambda: entry(gateway, certificate), "revoked")
    finally:
        redis.resume()
        fleet.close()


# ---- many at once ----------------------------------------------------------------------------------------

def test_no_revocation_is_forgotten_in_a_rush(gateways):
    """Those that come while a list is being made are on the next, without waiting for the schedule."""
    gateway = start(gateways)
    certificates = [gateway.enrol()[2] for _ in range(12)]
    for certificate in certificates:
        revoke(gateway, certificate)
    for certificate in certificates:
        eventually(lambda certificate=certificate: entry(gateway, certificate), "revoked")
    eventually(lambda: not gateway.query("SELECT 1 FROM obligation WHERE kind = 'crl.publish'"), "nothing is left to do")
