"""Section R: PENDING and CertPoll, with requests that wait for people; and what other sections say of both (A-10, K-04, P-05, P-07)."""

import http.client
import os
import secrets
import sqlite3

import approvals
import der
import identities
import pytest
import scepmsg
from approvals import becomes, gates, held, poll, poll_of
from catalogue import requirement
from gateway import Gateway
from scepmsg import BAD_CERT_ID, BAD_REQUEST, FAILURE, PENDING, SUCCESS

ALIASES = {"demo": {"backend": "desk", "challenge": {"type": "one_time", "failure_limit": 0}},
           "open": approvals.OPEN, "other": approvals.OPEN | {"tenant": "other"},
           "silent": approvals.OPEN | {"compat": {"fail_info_text": False}}}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    gateway = Gateway(tmp_path_factory.mktemp("desk"), ALIASES, backends=gates()).start()
    yield gateway
    gateway.close()


@pytest.fixture
def waiting(desk):
    """A request that waits: (request, record)."""
    return held(desk, "open")


@requirement("A-10")
def test_A_10_polls_are_answered_where_requests_may_pend(desk, waiting):
    assert poll(desk, waiting[0], "open").status == PENDING


@requirement("K-04", "Y-08")
def test_K_04_nonces_need_no_chain(desk, waiting):
    request, _ = waiting
    for nonce in (os.urandom(16), os.urandom(8), b"\0" * 16):
        reply = poll(desk, request, "open", sender_nonce=nonce)
        assert reply.status == PENDING and reply.attributes[scepmsg.RECIPIENT_NONCE] == nonce


@requirement("N-06", "N-07")
def test_N_06_no_challenge_may_mean_manual_approval(gateways):
    alias = ALIASES["demo"]
    gateway = gateways({"demo": alias}, backends=gates(when=["no_challenge"])).start()
    assert held(gateway)[1]["decision"] == "awaited"


@requirement("P-05")
def test_P_05_pending_has_no_content(desk, waiting):
    for reply in (desk.reply(waiting[0], "open"), poll(desk, waiting[0], "open")):
        assert reply.status == PENDING and reply.content is None
        assert scepmsg.FAIL_INFO not in reply.attributes and scepmsg.FAIL_INFO_TEXT not in reply.attributes


@requirement("R-01")
def test_R_01_poll_names_the_transaction(desk, waiting):
    reply = poll(desk, waiting[0], "open")
    assert reply.status == PENDING and reply.text(scepmsg.TRANSACTION_ID) == waiting[0].transaction_id


@requirement("R-02", "I-01")
def test_R_02_unknown_transaction_is_refused(desk, waiting):
    line = desk.refused(poll_of(desk, waiting[0], "open", transaction_id=secrets.token_hex(20)), BAD_CERT_ID, "open")
    assert line["details"]["error"] == "TRANSACTION_UNKNOWN"


@requirement("R-03", "R-04")
@pytest.mark.parametrize("names", ["proper", "issuer", "subject", "empty", "nonsense"])
def test_R_03_04_contents_of_the_poll_do_not_matter(desk, waiting, names):
    """strongSwan puts the RA's subject as issuer; others put nothing that fits."""
    request, _ = waiting
    ca, ra = desk.bag("open")[-1], desk.ra("open")
    subject = scepmsg.certificate_fields(request.identity.certificate)[2]
    payload = {"proper": der.seq(scepmsg.certificate_fields(ca)[2], subject),
               "issuer": der.seq(scepmsg.certificate_fields(ra)[2], subject),
               "subject": der.seq(scepmsg.certificate_fields(ca)[2], identities.name("CN=somebody else")),
               "empty": der.seq(der.seq(), der.seq()), "nonsense": b"no DER at all"}[names]
    assert poll(desk, request, "open", names=payload).status == PENDING


@requirement("R-05")
@pytest.mark.parametrize("verb,end", [("approve", SUCCESS), ("deny", FAILURE)])
def test_R_05_pending_until_one_end(desk, verb, end):
    request, row = held(desk, "open")
    assert [poll(desk, request, "open").status for _ in range(3)] == [PENDING] * 3
    getattr(approvals, verb)(desk, row)
    becomes(desk, request, "issued" if end == SUCCESS else "rejected")
    assert [poll(desk, request, "open").status for _ in range(3)] == [end] * 3


@requirement("R-06")
def test_R_06_another_signer_gets_nothing(desk, waiting):
    """Neither while it waits nor when it is issued, and the poller learns nothing of it."""
    request, row = waiting
    stranger = identities.Identity(private=identities.key(number="victim"))
    desk.refused(poll_of(desk, request, "open", identity=stranger), BAD_CERT_ID, "open")
    approvals.approve(desk, row)
    becomes(desk, request, "issued")
    desk.refused(poll_of(desk, request, "open", identity=stranger), BAD_CERT_ID, "open")


@requirement("R-06")
def test_R_06_the_same_key_in_another_certificate_will_do(desk, waiting):
    request, _ = waiting
    again = identities.Identity(private=request.identity.key, subject="CN=another name of the signer")
    assert poll(desk, request, "open", identity=again).status == PENDING


@requirement("R-07")
def test_R_07_fast_polls_are_answered_from_the_store(desk, waiting):
    def calls():
        return sum(value for name, value in desk.metrics().items() if name.startswith("scepgate_backend_seconds_count"))

    before = calls()
    assert {poll(desk, waiting[0], "open").status for _ in range(20)} == {PENDING}
    assert calls() == before


@requirement("R-08")
def test_R_08_pending_survives_a_restart(desk, waiting):
    request, row = waiting
    desk.restart()
    assert poll(desk, request, "open").status == PENDING
    desk.kill()
    desk.start()
    assert desk.reply(request, "open").status == PENDING
    approvals.approve(desk, row)
    becomes(desk, request, "issued")
    assert poll(desk, request, "open").status == SUCCESS


@requirement("R-09")
def test_R_09_a_lost_success_is_given_again(desk, waiting):
    request, row = waiting
    approvals.approve(desk, row)
    becomes(desk, request, "issued")
    certificates = {poll(desk, request, "open").issued(request)[0] for _ in range(3)}
    certificates.add(desk.reply(request, "open").issued(request)[0])
    assert len(certificates) == 1


@requirement("R-10")
def test_R_10_denial_is_a_failure_with_its_reason(desk, waiting):
    request, row = waiting
    approvals.deny(desk, row, "--reason", "who are you?")
    reply = poll(desk, request, "open")
    assert (reply.status, reply.fail_info, reply.text(scepmsg.FAIL_INFO_TEXT)) == (FAILURE, BAD_REQUEST, "who are you?")


@requirement("L-09")
def test_L_09_denial_without_text_where_clients_choke(desk):
    request, row = held(desk, "silent")
    approvals.deny(desk, row, "--reason", "who are you?")
    assert scepmsg.FAIL_INFO_TEXT not in poll(desk, request, "silent").attributes


@requirement("R-11")
def test_R_11_several_requests_of_one_signer(desk):
    identity = identities.Identity()
    one, row = held(desk, "open", identity=identity)
    two, _ = held(desk, "open", identity=identity, csr=identities.csr(identity.key, "CN=second"))
    approvals.approve(desk, row)
    becomes(desk, one, "issued")
    assert poll(desk, one, "open").status == SUCCESS and poll(desk, two, "open").status == PENDING


@requirement("V-06")
def test_V_06_the_challenge_is_kept_by_nobody_in_clear(desk):
    """It lies sealed in the store while people think; closing the gateway looks for it everywhere."""
    request, row = held(desk, challenge=desk.challenge())
    approvals.approve(desk, row)
    becomes(desk, request, "issued")
    assert poll(desk, request).status == SUCCESS


@requirement("W-02")
def test_W_02_a_repeated_request_is_a_poll(desk, waiting):
    request, row = waiting
    request.sender_nonce = os.urandom(16)
    assert desk.reply(request, "open").status == PENDING
    assert len(desk.ask("transaction", "list", "--text", request.transaction_id)["transactions"]) == 1
    approvals.approve(desk, row)
    becomes(desk, request, "issued")
    assert desk.reply(request, "open").status == SUCCESS


@requirement("W-06")
def test_W_06_another_csr_while_one_waits_is_refused(desk, waiting):
    request, _ = waiting
    other = desk.request("open", identity=request.identity, csr=identities.csr(request.identity.key, "CN=other"),
                         transaction_id=request.transaction_id)
    assert desk.refused(other, BAD_REQUEST, "open")["details"]["error"] == "TRANSACTION_CONFLICT"
    assert poll(desk, request, "open").status == PENDING


@requirement("AA-02")
def test_AA_02_polls_of_one_tenant_find_nothing_of_another(desk, waiting):
    desk.refused(poll_of(desk, waiting[0], "other"), BAD_CERT_ID, "other")


@requirement("R-08")
def test_R_08_pending_expires(gateways):
    """In a week; the test makes it due where the gateway wrote it down."""
    gateway = gateways({"open": approvals.OPEN}, backends=gates()).start()
    request, _ = held(gateway, "open")
    assert gateway.terminate() == 0
    with sqlite3.connect(gateway.state / "scepgate.db") as database:
        database.execute("UPDATE obligation SET due = 1, wanted = 1 WHERE kind = 'transaction.expire'")
        database.execute("UPDATE transactions SET expires = 1")
    gateway.start()
    becomes(gateway, request, "expired")
    reply = poll(gateway, request, "open")
    assert (reply.status, reply.fail_info) == (FAILURE, BAD_REQUEST)


@requirement("R-12")
def test_R_12_ec_client_that_waits(desk):
    """Its challenge is the password of the reply, however much later that is, and after a restart."""
    challenge, identity = desk.challenge(), identities.Identity("ec")
    request, row = held(desk, challenge=challenge, identity=identity)
    assert poll(desk, request).status == PENDING
    approvals.approve(desk, row)
    becomes(desk, request, "issued")
    desk.restart()
    reply = poll(desk, request)
    assert scepmsg.public_key_of(reply.issued_by_password(challenge)[0]) == identity.spki


@requirement("P-09")
def test_P_09_polls_have_the_three_answers(desk):
    for verb, status in ((None, PENDING), ("approve", SUCCESS), ("deny", FAILURE)):
        request, row = held(desk, "open")
        if verb:
            getattr(approvals, verb)(desk, row)
            becomes(desk, request, "issued" if status == SUCCESS else "rejected")
        assert poll(desk, request, "open").status == status


@requirement("W-05")
def test_W_05_figure_10_a_new_request_while_one_waits(desk, waiting):
    """The client lost a PENDING and begins anew: a transaction of its own, and the old one goes on."""
    old, _ = waiting
    new, row = held(desk, "open", identity=old.identity, csr=old.payload)
    assert new.transaction_id != old.transaction_id
    approvals.approve(desk, row)
    becomes(desk, new, "issued")
    assert poll(desk, new, "open").status == SUCCESS and poll(desk, old, "open").status == PENDING


@requirement("W-05", "W-09")
@pytest.mark.parametrize("lost", ["PENDING", "SUCCESS"])
def test_W_05_figures_11_and_13_polls_go_on_after_an_outage(desk, waiting, lost):
    """Whichever reply was lost with its connection, the next poll gets the certificate, the same one each time."""
    request, row = waiting
    if lost == "SUCCESS":
        approvals.approve(desk, row)
        becomes(desk, request, "issued")
    connection = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=60)
    connection.request("POST", "/scep/open?operation=PKIOperation", poll_of(desk, request, "open").build())
    connection.sock.close()
    if lost == "PENDING":
        approvals.approve(desk, row)
        becomes(desk, request, "issued")
    assert poll(desk, request, "open").issued(request) == poll(desk, request, "open").issued(request)


@requirement("W-05")
def test_W_05_figure_12_a_new_request_after_a_lost_success(desk, waiting):
    """Whether there may be two certificates of a name is for whoever approves; the new request waits for that, too."""
    old, row = waiting
    approvals.approve(desk, row)
    becomes(desk, old, "issued")
    new, row = held(desk, "open", identity=old.identity, csr=old.payload)
    approvals.deny(desk, row)
    becomes(desk, new, "rejected")
    assert poll(desk, new, "open").status == FAILURE
    newer, row = held(desk, "open", identity=old.identity, csr=old.payload)
    approvals.approve(desk, row)
    becomes(desk, newer, "issued")
    assert poll(desk, newer, "open").issued(newer) != poll(desk, old, "open").issued(old)
