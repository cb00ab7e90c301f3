"""A client that keeps what it got, and asks until it has it."""

import dataclasses
import os
import time

import der
import identities
import scepmsg
from gateway import PATIENCE

BUSY = (502, 503, 504)  # nothing is promised: ask again. 502 and 504 are a load balancer's


class Device:
    """`place` is a Gateway or Replicas. `key` says which key of the pool (identities.key) it has; None: its own. One that does
    not poll sends its first request again instead."""

    def __init__(self, place, challenge, alias="demo", key=None, polls=True):
        self.place, self.alias, self.challenge, self.polls = place, alias, challenge, polls
        self.identity = identities.Identity(private=None if key is None else identities.key(number=key))
        self.ra, self.issuer = place.bag(alias)[0], place.bag(alias)[1]
        csr = identities.csr(self.identity.key, challenge=challenge)
        self.request = scepmsg.Request(self.identity, [self.ra], csr)
        self.got = []  # every certificate that a SUCCESS brought
        self.refusals = []  # failInfo of every FAILURE
        self.served_by = []  # X-Replica of every answer
        self.pending = False
        self.busy = 0

    def poll(self):
        """The request that asks what became of the first."""
        names = der.seq(scepmsg.certificate_fields(self.issuer)[2], identities.name("CN=device"))
        return dataclasses.replace(self.request, message_type="20", payload=names, transaction_id=self.request.transaction_id)

    def ask(self):
        """One try; True when the end is known."""
        request = self.poll() if self.pending and self.polls else self.request
        request.sender_nonce = os.urandom(16)
        try:
            answer = self.place.post(self.alias, request.build())
        except OSError:
            return False
        self.served_by.append(answer.headers.get("x-replica"))
        if answer.status != 200:
            assert answer.status in BUSY, (answer.status, answer.body)
            self.busy += 1
            return False
        reply = scepmsg.Reply(answer.body).check(request)
        self.pending = reply.status == scepmsg.PENDING
        if reply.status == scepmsg.SUCCESS:
            self.got.append(reply.issued(request)[0])
        elif reply.status == scepmsg.FAILURE:
            self.refusals.append(reply.fail_info)
        return not self.pending

    def insist(self, pause=0.1):
        """Until the end is known: a certificate, or a refusal."""
        deadline = time.monotonic() + PATIENCE * 2
        while not self.ask():
            assert time.monotonic() < deadline, f"the transaction never ended; busy {self.busy} times, pending {self.pending}"
            time.sleep(pause)
        return self

    @property
    def serials(self):
        return {identities.load(certificate).serial_number for certificate in self.got}
