"""Section R: PENDING and CertPoll, with requests that wait for people; and what other sections say of both (A-10, K-04, P-05, P-07)."""

import os
import secrets

import approvals
import der
import identities
import pytest
import scepmsg
from approvals import becomes, gates, held, poll, poll_of
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


def test_A_10_polls_are_answered_where_requests_may_pend(desk, waiting):
    assert poll(desk, waiting[0], "open").status == PENDING


def test_K_04_nonces_need_no_chain(desk, waiting):
    request, _ = waiting
    for nonce in (os.urandom(16), os.urandom(8), b"\0" * 16):
        reply = poll(desk, request, "open", sender_nonce=nonce)
        assert reply.status == PENDING and reply.attributes[scepmsg.RECIPIENT_NONCE] == nonce


def test_N_06_no_challenge_may_mean_manual_approval(gateways):
    alias = ALIASES["demo"]
    gateway = gateways({"demo": alias}, backends=gates(when=["no_challenge"])).start()
    assert held(gateway)[1]["decision"] == "awaited"


def test_P_05_pending_has_no_content(desk, waiting):
    for reply in (desk.reply(waiting[0], "open"), poll(desk, waiting[0], "open")):
        assert reply.status == PENDING and reply.content is None
        assert scepmsg.FAIL_INFO not in reply.attributes and scepmsg.FAIL_INFO_TEXT not in reply.attributes


def test_R_01_poll_names_the_transaction(desk, waiting):
    reply = poll(desk, waiting[0], "open")
    assert reply.status == PENDING and reply.text(scepmsg.TRANSACTION_ID) == waiting[0].transaction_id


def test_R_02_unknown_transaction_is_refused(desk, waiting):
    line = desk.refused(poll_of(desk, waiting[0], "open", transaction_id=secrets.token_hex(20)), BAD_CERT_ID, "open")
    assert line["details"]["error"] == "TRANSACTION_UNKNOWN"


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


@pytest.mark.parametrize("verb,end", [("approve", SUCCESS), ("deny", FAILURE)])
def test_R_05_pending_until_one_end(desk, verb, end):
    request, row = held(desk, "open")
    assert [poll(desk, request, "open").status for _ in range(3)] == [PENDING] * 3
    getattr(approvals, verb)(desk, row)
    becomes(desk, request, "issued" if end == SUCCESS else "rejected")
    assert [poll(desk, request, "open").status for _ in range(3)] == [end] * 3


def test_R_06_another_signer_gets_nothing(desk, waiting):
    """Neither while it waits nor when it is issued, and the poller learns nothing of it."""
    request, row = waiting
    stranger = identities.Identity(private=identities.key(number="victim"))
    desk.refused(poll_of(desk, request, "open", identity=stranger), BAD_CERT_ID, "open")
    approvals.approve(desk, row)
    becomes(desk, request, "issued")
    desk.refused(poll_of(desk, request, "open", identity=stranger), BAD_CERT_ID, "open")


def test_R_06_the_same_key_in_another_certificate_will_do(desk, waiting):
    request, _ = waiting
    again = identities.Identity(private=request.identity.key, subject="CN=another name of the signer")
    assert poll(desk, request, "open", identity=again).status == PENDING


def test_R_07_fast_polls_are_answered_from_the_store(desk, waiting):
    def calls():
        return sum(value for name, value in desk.metrics().items() if name.startswith("scepgate_backend_seconds_count"))

    before = calls()
    assert {poll(desk, waiting[0], "open").status for _ in range(20)} == {PENDING}
    assert calls() == before


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


def test_R_09_a_lost_success_is_given_again(desk, waiting):
    request, row = waiting
    approvals.approve(desk, row)
    becomes(desk, request, "issued")
    certificates = {poll(desk, request, "open").issued(request)[0] for _ in range(3)}
    certificates.add(desk.reply(request, "open").issued(request)[0])
    assert len(certificates) == 1


def test_R_10_denial_is_a_failure_with_its_reason(desk, waiting):
    request, row = waiting
    approvals.deny(desk, row, "--reason", "who are you?")
    reply = poll(desk, request, "open")
    assert (reply.status, reply.fail_info, reply.text(scepmsg.FAIL_INFO_TEXT)) == (FAILURE, BAD_REQUEST, "who are you?")


def test_L_09_denial_without_text_where_clients_choke(desk):
    request, row = held(desk, "silent")
    approvals.deny(desk, row, "--reason", "who are you?")
    assert scepmsg.FAIL_INFO_TEXT not in poll(desk, request, "silent").attributes


def test_R_11_several_requests_of_one_signer(desk):
    identity = identities.Identity()
    one, row = held(desk, "open", identity=identity)
    two, _ = held(desk, "open", identity=identity, csr=identities.csr(identity.key, "CN=second"))
    approvals.approve(desk, row)
    becomes(desk, one, "issued")
    assert poll(desk, one, "open").status == SUCCESS and poll(desk, two, "open").status == PENDING


def test_V_06_the_challenge_is_kept_by_nobody_in_clear(desk):
    """It lies sealed in the store while people think; closing the gateway looks for it everywhere."""
    request, row = held(desk, challenge=desk.challenge())
    approvals.approve(desk, row)
    becomes(desk, request, "issued")
    assert poll(desk, request).status == SUCCESS


def test_W_02_a_repeated_request_is_a_poll(desk, waiting):
    request, row = waiting
    request.sender_nonce = os.urandom(16)
    assert desk.reply(request, "open").status == PENDING
    assert len(desk.ask("transaction", "list", "--text", request.transaction_id)["transactions"]) == 1
    approvals.approve(desk, row)
    becomes(desk, request, "issued")
    assert desk.reply(request, "open").status == SUCCESS


def test_W_06_another_csr_while_one_waits_is_refused(desk, waiting):
    request, _ = waiting
    other = desk.request("open", identity=request.identity, csr=identities.csr(request.identity.key, "CN=other"),
                         transaction_id=request.transaction_id)
    assert desk.refused(other, BAD_REQUEST, "open")["details"]["error"] == "TRANSACTION_CONFLICT"
    assert poll(desk, request, "open").status == PENDING


def test_AA_02_polls_of_one_tenant_find_nothing_of_another(desk, waiting):
    desk.refused(poll_of(desk, waiting[0], "other"), BAD_CERT_ID, "other")
