/* schema.c: every setting, once: where it goes, what it may be, what it is when nobody says, and why.
 *
 * Rows of one map stand together (print.c and reference.c rely on it).
 */
#include "settings/schema.h"

#include <limits.h>
#include <string.h>

#include "scep/message.h"
#include "settings/families.h"
#include "settings/forms.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define YEARS  (365 * DAY)
#define KIB    INT64_C(1024)
#define MIB    (1024 * KIB)

#define AT(member) offsetof(struct gateway_settings, member)

const struct setting_row schema_gateway[] = {
    {"state", SETTING_PATH, AT(state), .initial = "/var/lib/scepgate",
     .flags = SETTING_FROZEN | SETTING_LOCAL,
     .help = "Folder for everything that must outlive a restart: database, master key, what backends keep."},
    {"listen", SETTING_LIST, AT(listen), 1, 64, "127.0.0.1:8080", .flags = SETTING_FROZEN | SETTING_LOCAL,
     .check = form_address,
     .help = "Addresses that serve SCEP over HTTP. SCEP encrypts and signs its messages itself, so plain "
             "HTTP is usual."},

    {"admin.listen", SETTING_LIST, AT(admin_listen), 0, 8, "[]", .flags = SETTING_FROZEN | SETTING_LOCAL,
     .check = form_loopback,
     .help = "Addresses for /metrics, /healthz and /readyz. Loopback only: there is no access control. "
             "Empty: none."},
    {"admin.socket", SETTING_PATH, AT(admin_socket), .flags = SETTING_FROZEN | SETTING_LOCAL,
     .help =
         "Unix socket for management (`scepgate challenge`, …), for root and the gateway's own user, mode "
         "0600. Default: admin.sock in the state folder."},
    {"admin.approvers", SETTING_LIST, AT(admin_approvers), 0, 64, "[]",
     .flags = SETTING_FROZEN | SETTING_LOCAL, .check = form_user,
     .help =
         "Users, by name or number, who may use the socket as well, to look at requests and to approve or "
         "deny them, and for nothing else. The socket's mode is then 0666, and who asks is checked by the "
         "system's word; its folder must let them in."},

    {"limits.connections", SETTING_INT, AT(limits.connections), 1, 1000000, "4096", .flags = SETTING_LOCAL,
     .help = "Open connections in all. Further ones are closed at once. Needs as many file descriptors."},
    {"limits.connections_per_address", SETTING_INT, AT(limits.connections_per_address), 1, 1000000, "256",
     .flags = SETTING_LOCAL,
     .help = "Open connections from one address. Raise it behind a proxy or ingress, where all clients share "
             "one."},
    {"limits.request_deadline", SETTING_DURATION, AT(limits.request_deadline), 100, HOUR, "30s",
     .flags = SETTING_LOCAL,
     .help = "Headers and body must have arrived within this time; bytes that trickle in do not extend it."},
    {"limits.reply_deadline", SETTING_DURATION, AT(limits.reply_deadline), 100, HOUR, "30s",
     .flags = SETTING_LOCAL, .help = "A client must have taken its reply within this time."},
    {"limits.idle_deadline", SETTING_DURATION, AT(limits.idle_deadline), 100, HOUR, "60s",
     .flags = SETTING_LOCAL, .help = "A kept connection is closed after this time without a new request."},
    {"limits.body", SETTING_SIZE, AT(limits.body), KIB, 64 * MIB, "256KiB", .flags = SETTING_LOCAL,
     .help = "Largest body of a request. An enrolment has some 3 to 10 KiB."},
    {"limits.headers", SETTING_SIZE, AT(limits.headers), KIB, MIB, "16KiB", .flags = SETTING_LOCAL,
     .help = "Largest headers of a request."},
    {"limits.uri", SETTING_SIZE, AT(limits.uri), KIB, MIB, "64KiB", .flags = SETTING_LOCAL,
     .help = "Longest request line. Clients that enrol by GET put the whole message there: 16 KiB and more."},

    {"worker.threads", SETTING_INT, AT(worker.threads), 0, 1024, "0", .flags = SETTING_FROZEN | SETTING_LOCAL,
     .help = "Threads for cryptography. 0: one per processor."},
    {"worker.queue_per_alias", SETTING_INT, AT(worker.queue_per_alias), 1, 1000000, "256",
     .flags = SETTING_FROZEN | SETTING_LOCAL,
     .help = "Jobs of one alias that may wait; beyond it that alias answers 503, the others do not notice."},
    {"worker.queue_total", SETTING_INT, AT(worker.queue_total), 1, 1000000, "4096",
     .flags = SETTING_FROZEN | SETTING_LOCAL,
     .help = "Jobs that may wait in all; beyond it the answer is 503."},

    {"enroll.wait", SETTING_DURATION, AT(enroll.wait), 0, 5 * MINUTE, "10s",
     .help = "How long a client is held for its certificate before it gets PENDING and has to poll. Many "
             "clients give up "
             "after 15 to 30 seconds without an answer."},
    {"enroll.backend_deadline", SETTING_DURATION, AT(enroll.backend_deadline), 100, HOUR, "30s",
     .help = "A submission to a backend that got no answer within this time counts as lost."},
    {"enroll.lease", SETTING_DURATION, AT(enroll.lease), SECOND, 2 * HOUR, "60s",
     .help =
         "How long one gateway process owns a submission. Must be longer than `enroll.backend_deadline`."},
    {"enroll.retry_after", SETTING_DURATION, AT(enroll.retry_after), SECOND, HOUR, "5s",
     .help = "What Retry-After says in answers with status 503."},

    {"store.type", SETTING_CHOICE, AT(store.type), .initial = "sqlite", .choices = "sqlite redis",
     .flags = SETTING_FROZEN,
     .help =
         "What keeps challenges, transactions and certificates. sqlite: a file of this gateway alone. redis: "
         "a Redis that any number of gateways with the same settings share."},
    {"store.path", SETTING_PATH, AT(store.path), .flags = SETTING_FROZEN | SETTING_LOCAL,
     .help = "sqlite: the database. Default: scepgate.db in the state folder. On a local file system."},
    {"store.master_key", SETTING_SECRET, AT(store.master_key), .flags = SETTING_FROZEN,
     .help =
         "Key ring that seals what the store keeps: lines of ID:64 hexadecimal digits, newest first. "
         "Default: master.key in the state folder, made at the first start. redis: must be said, because all "
         "replicas need the same."},
    {"store.url", SETTING_SECRET, 0, .flags = SETTING_FROZEN | SETTING_PLAIN | SETTING_UNBOUND,
     .help =
         "redis: where it is, in one line: redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], rediss:// for "
         "TLS, unix://[[USER]:PASSWORD@]/PATH[?db=DATABASE]. Instead of `addresses`, `user`, `password`, "
         "`database` and `tls.enabled`."},
    {"store.topology", SETTING_CHOICE, AT(store.topology), .initial = "single",
     .choices = "single sentinel cluster", .flags = SETTING_FROZEN,
     .help = "redis: one server, the master that sentinels name, or a cluster."},
    {"store.addresses", SETTING_LIST, AT(store.addresses), 0, 32, "[]",
     .flags = SETTING_FROZEN | SETTING_LOCAL, .check = form_redis_address,
     .help = "redis: HOST:PORT or the path of a unix socket. single: the server. sentinel: the sentinels. "
             "cluster: some of its nodes."},
    {"store.master", SETTING_TEXT, AT(store.master), 1, 128, .flags = SETTING_FROZEN,
     .help = "redis: the name under which the sentinels know the master; with `topology: sentinel`."},
    {"store.user", SETTING_TEXT, AT(store.user), 1, 128, .flags = SETTING_FROZEN | SETTING_LOCAL,
     .help = "redis: the ACL user. Default: Redis' own default user."},
    {"store.password", SETTING_SECRET, AT(store.password), .flags = SETTING_FROZEN,
     .help = "redis: the password of that user."},
    {"store.sentinel_user", SETTING_TEXT, AT(store.sentinel_user), 1, 128,
     .flags = SETTING_FROZEN | SETTING_LOCAL, .help = "redis: the ACL user at the sentinels."},
    {"store.sentinel_password", SETTING_SECRET, AT(store.sentinel_password), .flags = SETTING_FROZEN,
     .help = "redis: the password at the sentinels. Default: none, whatever `password` is."},
    {"store.database", SETTING_INT, AT(store.database), 0, 65535, "0", .flags = SETTING_FROZEN,
     .help = "redis: the number of the database. A cluster has number 0 alone."},
    {"store.tls.enabled", SETTING_BOOL, AT(store.tls.enabled), .initial = "false",
     .flags = SETTING_FROZEN | SETTING_LOCAL, .help = "redis: speak TLS with every server and sentinel."},
    {"store.tls.ca", SETTING_PATH, AT(store.tls.ca), .flags = SETTING_FROZEN | SETTING_LOCAL,
     .help = "redis: PEM file of the CAs that may certify Redis. Default: those of the system."},
    {"store.tls.certificate", SETTING_PATH, AT(store.tls.certificate),
     .flags = SETTING_FROZEN | SETTING_LOCAL,
     .help =
         "redis: PEM file of the gateway's own certificate, issuers may follow; where Redis asks for one."},
    {"store.tls.key", SETTING_PATH, AT(store.tls.key), .flags = SETTING_FROZEN | SETTING_LOCAL,
     .help = "redis: PEM file of the key of that certificate."},
    {"store.tls.server_name", SETTING_TEXT, AT(store.tls.server_name), 1, 253,
     .flags = SETTING_FROZEN | SETTING_LOCAL, .check = form_host,
     .help = "redis: the name that Redis' certificate must have. Default: the host of the address."},
    {"store.prefix", SETTING_TEXT, AT(store.prefix), 1, 64, "'scepgate:'", .flags = SETTING_FROZEN,
     .check = form_key_prefix,
     .help =
         "redis: how every key begins. Gateways that are to know nothing of each other need different ones."},
    {"store.connect_deadline", SETTING_DURATION, AT(store.connect_deadline), 100, 5 * MINUTE, "5s",
     .flags = SETTING_FROZEN | SETTING_LOCAL,
     .help = "redis: a connection is ready for commands within this time, or given up and tried again."},
    {"store.command_deadline", SETTING_DURATION, AT(store.command_deadline), 100, 5 * MINUTE, "5s",
     .flags = SETTING_FROZEN | SETTING_LOCAL,
     .help = "redis: a command that got no answer within this time counts as lost."},
    {"store.queue", SETTING_INT, AT(store.queue), 16, 1000000, "16384",
     .flags = SETTING_FROZEN | SETTING_LOCAL,
     .help = "redis: commands that may be under way; beyond it the answer is 503."},
    {"store.wait_replicas", SETTING_INT, AT(store.wait_replicas), 0, 16, "0", .flags = SETTING_FROZEN,
     .help = "redis: how many of Redis' replicas must have a change before it is promised to a client."},
    {"store.wait_deadline", SETTING_DURATION, AT(store.wait_deadline), 10, 5 * MINUTE, "1s",
     .flags = SETTING_FROZEN | SETTING_LOCAL,
     .help = "redis: how long that may take. When it is over nothing is promised, and the change is tried "
             "again."},

    {"retention.unused_challenge", SETTING_DURATION, AT(retention.unused_challenge), 0, 100 * YEARS, "30d",
     .help = "How long a challenge that nobody used stays listed after it expired."},
    {"retention.used_challenge", SETTING_DURATION, AT(retention.used_challenge), HOUR, 100 * YEARS, "90d",
     .help = "How long the mark of a used challenge stays after its validity and the retransmit window."},
    {"retention.finished_transaction", SETTING_DURATION, AT(retention.finished_transaction), HOUR,
     100 * YEARS, "90d",
     .help =
         "How long a finished transaction stays. At least as long as every `transaction.retransmit_window`."},
    {"retention.certificate", SETTING_DURATION, AT(retention.certificate), 0, 100 * YEARS, "365d",
     .help = "How long an issued certificate stays recorded after it expired."},
    {"retention.audit", SETTING_DURATION, AT(retention.audit), DAY, 100 * YEARS, "730d",
     .help = "How long the audit trail is kept."},

    {"publish.enabled", SETTING_BOOL, AT(publish.enabled), .initial = "true",
     .help =
         "Publish the certificate and the revocation list of every backend's CA on the addresses of "
         "`listen`, as "
         "PATH/NAME.cer and PATH/NAME.crl. NAME is the backend's name, or the CA's subjectKeyIdentifier in "
         "hexadecimal digits, which goes on when another CA follows."},
    {"publish.path", SETTING_TEXT, AT(publish.path), 1, 256, "/pki", .check = form_url_path,
     .help = "Where. No alias may have it, or anything below it, among its `paths`."},
    {"publish.max_age", SETTING_DURATION, AT(publish.max_age), 0, 7 * DAY, "1h",
     .help = "How long caches may keep what they got, and so how late a revocation is seen through one. "
             "Never beyond "
             "the time at which the next list comes on schedule."},

    {"log.level", SETTING_CHOICE, AT(log.level), .initial = "info", .choices = "debug info warning error",
     .flags = SETTING_LOCAL, .help = "The least level that is written."},
    {"log.format", SETTING_CHOICE, AT(log.format), .initial = "auto", .choices = "auto json text",
     .flags = SETTING_LOCAL,
     .help = "One JSON object per line, or lines for people. auto: for people on a terminal, else JSON."},
};
const size_t schema_gateway_count = COUNT(schema_gateway);

#undef AT
#define AT(member) offsetof(struct alias_settings, member)

const struct setting_row schema_alias[] = {
    {"tenant", SETTING_TEXT, AT(tenant), 1, 64, "default", .check = form_name,
     .help = "Who owns the alias: the unit of isolation and of the audit trail."},
    {"backend", SETTING_REFERENCE, AT(backend), 1, 64, .choices = "backends", .flags = SETTING_REQUIRED,
     .check = form_name, .help = "What issues the certificates: the name of a section of `backends`."},
    {"hosts", SETTING_LIST, AT(hosts), 0, 64, "[]", .check = form_host,
     .help = "Host names that mean this alias. With `paths`, these count on these hosts alone."},
    {"paths", SETTING_LIST, AT(paths), 0, 64, "[]", .check = form_url_path,
     .help = "Further URL paths for clients that cannot be told another, such as /cgi-bin/pkiclient.exe. "
             "Compared without "
             "regard to case. /scep/ALIAS always works."},

    {"challenge.type", SETTING_CHOICE, AT(challenge.type), .choices = "one_time static none",
     .flags = SETTING_REQUIRED,
     .help = "Who may enrol: holders of a one-time password, of one shared password, or (none) everybody who "
             "reaches the URL. "
             "There is no default: it must be said."},
    {"challenge.secret", SETTING_SECRET, AT(challenge.secret),
     .help = "The shared password; with `type: static` only."},
    {"challenge.ttl", SETTING_DURATION, AT(challenge.ttl), SECOND, 10 * YEARS, "1h",
     .help = "How long a one-time challenge is good when its creator does not say."},
    {"challenge.max_ttl", SETTING_DURATION, AT(challenge.max_ttl), SECOND, 10 * YEARS, "30d",
     .help = "The longest life that a creator may ask for."},
    {"challenge.uses", SETTING_INT, AT(challenge.uses), 1, 1000000, "1",
     .help = "How many enrolments a one-time challenge is good for when its creator does not say."},
    {"challenge.release_on_rejection", SETTING_BOOL, AT(challenge.release_on_rejection), .initial = "false",
     .help = "Give a one-time challenge back when policy or backend rejected the request, so that a "
             "corrected one may use it."},
    {"challenge.failure_limit", SETTING_INT, AT(challenge.failure_limit), 0, 1000000, "20",
     .help = "Refused challenges within `failure_window`, per alias and per source address, before further "
             "ones are refused "
             "unseen. 0: no limit."},
    {"challenge.failure_window", SETTING_DURATION, AT(challenge.failure_window), SECOND, 7 * DAY, "10m",
     .help = "The window of `failure_limit`."},

    {"ra.from", SETTING_REFERENCE, 0, 1, 64, "backend", "backends backend files ca", SETTING_UNBOUND,
     "Where the key comes from that opens requests and signs replies. backend: made here, certified by the "
     "alias' own backend, "
     "renewed by itself. A backend's name: certified by that one. files: `certificate` and `key`. ca: the "
     "CA's own key, for "
     "clients that know no RA; it then meets every message from the network. The words backend, files and ca "
     "win over "
     "backends of the same name."},
    {"ra.certificate", SETTING_PATH, AT(ra.certificate),
     .help = "PEM file, issuers may follow; with `from: files`."},
    {"ra.key", SETTING_PATH, AT(ra.key), .flags = SETTING_LOCAL,
     .help = "PEM file of the RSA key; with `from: files`."},
    {"ra.signing_certificate", SETTING_PATH, AT(ra.signing_certificate),
     .help =
         "With `from: files`, where the RA has one certificate that decrypts (`ra.certificate`) and one that "
         "signs (this one), as NDES has: PEM file, issuers may follow. GetCACert gives both, the one that "
         "decrypts first."},
    {"ra.signing_key", SETTING_PATH, AT(ra.signing_key), .flags = SETTING_LOCAL,
     .help = "PEM file of the RSA key of `ra.signing_certificate`."},
    {"ra.successor_certificate", SETTING_PATH, AT(ra.successor.certificate),
     .help = "With `from: files`, the RA of the CA that the backend stages as its successor: PEM file, "
             "issuers may "
             "follow. Takes over together with that CA; without it clients are not told of the next CA."},
    {"ra.successor_key", SETTING_PATH, AT(ra.successor.key), .flags = SETTING_LOCAL,
     .help = "PEM file of the RSA key of `ra.successor_certificate`."},
    {"ra.successor_signing_certificate", SETTING_PATH, AT(ra.successor.signing_certificate),
     .help = "As `ra.signing_certificate`, for the successor."},
    {"ra.successor_signing_key", SETTING_PATH, AT(ra.successor.signing_key), .flags = SETTING_LOCAL,
     .help = "PEM file of the RSA key of `ra.successor_signing_certificate`."},
    {"ra.separate_signing", SETTING_BOOL, AT(ra.separate_signing), .initial = "false",
     .help = "Have two certificates made, one that decrypts and one that signs, as NDES has. Few clients "
             "need it; "
             "with `from: files` see `ra.signing_certificate`."},
    {"ra.key_bits", SETTING_INT, AT(ra.key_bits), 2048, 8192, "2048",
     .help = "Size of a generated RSA key. Every enrolment costs two operations with it, and old clients "
             "know no larger one."},
    {"ra.lifetime", SETTING_DURATION, AT(ra.lifetime), HOUR, 30 * YEARS, "365d",
     .help = "Validity asked for the RA certificate. It is renewed after two thirds; the old key still opens "
             "messages until it "
             "expires."},
    {"ra.subject", SETTING_TEXT, AT(ra.subject), 3, 512, "CN=SCEP RA {alias}", .check = form_subject,
     .help = "Subject of the RA certificate, as in RFC 2253; {alias} becomes the alias' name."},

    {"algorithms.ciphers", SETTING_CHOICES, AT(ciphers), 1, 4, "[aes128, aes192, aes256, 3des]",
     "aes128 aes192 aes256 3des", SETTING_BITS,
     "Accepted for content encryption (all CBC). 3DES is on because Apple and NDES-era clients use it "
     "unasked."},
    {"algorithms.digests", SETTING_CHOICES, AT(digests), 1, 5, "[sha1, sha224, sha256, sha384, sha512]",
     "sha1 sha224 sha256 sha384 sha512", SETTING_BITS,
     "Accepted for signatures of messages and of the requests inside them (one that is not gets "
     "badMessageCheck, "
     "which says no more; the audit trail does). SHA-1 is on because Apple and NDES-era clients use it "
     "unasked."},

    {"policy.keys.types", SETTING_CHOICES, AT(policy.key_types), 1, 8, "[rsa, ec]", "rsa ec ed25519",
     .help = "Types of key that may be certified."},
    {"policy.keys.rsa_min_bits", SETTING_INT, AT(policy.rsa_min_bits), 1024, 16384, "2048",
     .help = "Smallest RSA key."},
    {"policy.keys.rsa_max_bits", SETTING_INT, AT(policy.rsa_max_bits), 1024, 16384, "8192",
     .help = "Largest RSA key. A check of a signature costs more than its size grows, and clients choose the "
             "size."},
    {"policy.keys.curves", SETTING_LIST, AT(policy.curves), 1, 32, "[P-256, P-384, P-521]",
     .check = form_curve,
     .help = "Curves of EC keys: P-256, P-384, P-521, or OpenSSL's short name of another."},
    {"policy.subject", SETTING_RULES, AT(policy.subject_fields), .initial = "{}", .check = form_subject_field,
     .help = "Rules per subject field, named as OpenSSL does (CN, O, OU, serialNumber, …) or by dotted OID."},
    {"policy.other_subject_fields", SETTING_BOOL, AT(policy.other_subject_fields), .initial = "true",
     .help = "Subject fields without a rule are allowed."},
    {"policy.san", SETTING_RULES, AT(policy.san_kinds), 0, 0,
     "{dns: {}, email: {}, ip: {}, uri: {}, upn: {}}", "dns email ip uri upn directory other",
     .help = "Rules per kind of subject alternative name. The kinds written here replace the default list."},
    {"policy.other_san_kinds", SETTING_BOOL, AT(policy.other_san_kinds), .initial = "false",
     .help = "Kinds of subject alternative name without a rule are allowed."},
    {"policy.empty_subject", SETTING_BOOL, AT(policy.empty_subject), .initial = "true",
     .help = "A request without subject is allowed, but only with a subject alternative name."},
    {"policy.max_validity", SETTING_DURATION, AT(policy.max_validity), 0, 100 * YEARS, "0",
     .help = "Longest validity of a certificate. 0: as the backend decides."},

    {"proxy_signers.issuers", SETTING_PATHS, AT(proxy_signers.issuers), 0, 64, "[]",
     .help =
         "PEM files of issuers whose certificates may sign requests for other keys: clients that enrol "
         "on behalf of devices "
         "(Jamf as proxy, Fleet, Google's connector). Everybody else must sign with the key that is to "
         "be certified. Name an issuer that certifies nobody but such clients: with the CA of this alias, "
         "every device could enrol for every other."},
    {"proxy_signers.fingerprints", SETTING_LIST, AT(proxy_signers.fingerprints), 0, 1024, "[]",
     .check = form_fingerprint, .help = "The same for single signer certificates, by their SHA-256."},

    {"renewal.enabled", SETTING_BOOL, AT(renewal.enabled), .initial = "true",
     .help =
         "Renew certificates: a request (RenewalReq) that is signed with a certificate of this alias needs "
         "no challenge. GetCACaps says Renewal."},
    {"renewal.legacy", SETTING_BOOL, AT(renewal.legacy), .initial = "true",
     .help = "Take a PKCSReq that is signed with a certificate of this alias for a renewal as well: Cisco, "
             "jscep and many others know no RenewalReq."},
    {"renewal.issuers", SETTING_PATHS, AT(renewal.issuers), 0, 64, "[]",
     .help = "PEM files of further CAs whose certificates may be renewed here. Each counts for what it "
             "certified itself: name the issuing CA, not a root above it. They need `renewal.crl`, or "
             "`when_unknown: allow`."},
    {"renewal.unrecorded", SETTING_BOOL, AT(renewal.unrecorded), .initial = "false",
     .help = "Renew certificates of this alias' own CA that this alias did not issue, such as those from "
             "before the gateway. They need `renewal.crl`, or `when_unknown: allow`. Aliases that share a CA "
             "then renew each other's certificates."},
    {"renewal.grace", SETTING_DURATION, AT(renewal.grace), 0, 10 * YEARS, "0",
     .help = "How long after its end a certificate may still be renewed."},
    {"renewal.last_percent", SETTING_INT, AT(renewal.last_percent), 0, 100, "0",
     .help = "Renew only in the last part of a certificate's life: 50 begins at half of it. 0: at any time. "
             "With `renewal.last` as well, what begins earlier counts."},
    {"renewal.last", SETTING_DURATION, AT(renewal.last), 0, 100 * YEARS, "0",
     .help = "Renew only in this last time of a certificate's life, such as 30d. 0: at any time."},
    {"renewal.one_at_a_time", SETTING_BOOL, AT(renewal.one_at_a_time), .initial = "true",
     .help = "Refuse a renewal while another one of the same certificate is unfinished."},
    {"renewal.same_key", SETTING_BOOL, AT(renewal.same_key), .initial = "true",
     .help = "The new certificate may be for the old key."},
    {"renewal.names", SETTING_CHOICE, AT(renewal.names), .initial = "same", .choices = "same subject policy",
     .help = "What the request may be for. same: subject and subject alternative names of the old "
             "certificate. subject: only the subject must be the same. policy: whatever `policy` allows."},
    {"renewal.challenge", SETTING_CHOICE, AT(renewal.challenge), .initial = "ignore",
     .choices = "ignore check require",
     .help =
         "A challenge in a renewal. ignore: it is not looked at. check: one that is there must be right; "
         "one that was used up, such as that of the first enrolment, does no harm. require: a good one is "
         "needed on top."},
    {"renewal.crl.files", SETTING_PATHS, AT(renewal.crl_files), 0, 64, "[]",
     .help = "Revocation lists of the CAs whose certificates are renewed, PEM or DER. All that are named, "
             "here and "
             "in `urls`, must be there. What this alias issued itself needs no list of its CA: there is the "
             "gateway's own record."},
    {"renewal.crl.urls", SETTING_LIST, AT(renewal.crl_urls), 0, 16, "[]", .check = form_web_url,
     .help = "The same, fetched over HTTP in the background."},
    {"renewal.crl.from_backend", SETTING_BOOL, AT(renewal.crl_from_backend), .initial = "false",
     .help = "Ask the lists that the gateway publishes for this alias' own backend as well: what other "
             "aliases have "
             "revoked is then known here, too. Counts as one list, which must be there."},
    {"renewal.crl.refresh", SETTING_DURATION, AT(renewal.crl_refresh), SECOND, 7 * DAY, "1h",
     .help = "How often the lists are read again."},
    {"renewal.crl.when_unknown", SETTING_CHOICE, AT(renewal.crl_unknown), .initial = "refuse",
     .choices = "refuse pending allow",
     .help = "What becomes of a renewal while a revocation list is missing, or that of its CA is past its "
             "nextUpdate. pending: it waits, and each poll of the client looks again."},
    {"renewal.crl.allow_for", SETTING_DURATION, AT(renewal.crl_allow_for), SECOND, 365 * DAY, "1d",
     .help = "With `when_unknown: allow`: for how long. Beyond it renewals are refused. Without any list "
             "there is no such end."},

    {"reply.certificates", SETTING_CHOICE, AT(reply.certificates), .initial = "issued",
     .choices = "issued issuer intermediates all",
     .help = "What an issued certificate brings along in the reply: nothing, its issuer (as Cisco's VPN "
             "client wants it), the chain without the root, or all of it. It stands first, for clients that "
             "take the first."},
    {"reply.to_ec_signers", SETTING_CHOICES, AT(reply.to_ec_signers), 0, 2, "[password]",
     "password key_agreement", SETTING_BITS,
     "How a reply is encrypted to a client whose key (EC, DSA) only signs. password: with its challenge, as "
     "RFC "
     "8894 has it; who records such a reply can try passwords on it, so let challenges be random. "
     "key_agreement: with its EC key, which few clients know; used when there is no challenge. Where "
     "neither will do the request is refused before anything is issued. Empty: such clients are refused."},
    {"reply.password_iterations", SETTING_INT, AT(reply.password_iterations), 1000, 1000000, "10000",
     .help =
         "Rounds of PBKDF2 on such a challenge. They slow down guessing, and cost this gateway as much. Some "
         "clients refuse large numbers."},

    {"queries.certificates", SETTING_CHOICE, AT(queries.certificates), .initial = "none",
     .choices = "none own alias",
     .help =
         "Which certificates of this alias a client may fetch with GetCert. none: GetCert is refused. own: "
         "those of the key that signs the question, so that a client that kept its key but not its "
         "certificate gets it again. alias: whoever has a valid certificate of this alias may fetch any."},
    {"queries.crl", SETTING_BOOL, AT(queries.crl), .initial = "false",
     .help = "Answer GetCRL, by anybody, with the current revocation list of the alias' CA. Each answer is "
             "signed "
             "and encrypted for its client; prefer the URL of the list where clients can."},

    {"compat.clients", SETTING_CHOICES, 0, 0, 9, "[]", FAMILIES, SETTING_UNBOUND,
     "Families of clients that enrol here. Each sets the rows that it needs, unless they are written beside "
     "it: "
     "`get_pki_operation: true` for all but windows, `fail_info_text: false` for Cisco's, "
     "`root_in_get_ca_cert: false` for apple and windows, `reply.certificates: issuer` for cisco_vpn_client. "
     "None allows an algorithm or leaves out a check."},
    {"compat.obsolete_algorithms", SETTING_CHOICES, 0, 0, 2, "[]", "des md5", SETTING_UNBOUND,
     "Accept what is broken, for devices that know nothing else (PIX, IOS 12). Anybody who records the "
     "traffic can read the "
     "challenge. Audited per use."},
    {"compat.fail_info_text", SETTING_BOOL, AT(compat.fail_info_text), .initial = "true",
     .help = "Say in words why a request was refused. Turn it off for clients that choke on the attribute."},
    {"compat.get_pki_operation", SETTING_BOOL, AT(compat.get_pki_operation), .initial = "true",
     .help = "Accept PKIOperation by GET, as certmonger and old clients send it."},
    {"compat.root_in_get_ca_cert", SETTING_BOOL, AT(compat.root_in_get_ca_cert), .initial = "true",
     .help = "Answer GetCACert with the chain up to the root, not only up to the last intermediate."},
    {"compat.refused_challenge_as_401", SETTING_BOOL, AT(compat.refused_challenge_as_401), .initial = "false",
     .help =
         "Answer a missing or refused challenge with HTTP status 401 instead of a CertRep, for proxies and "
         "clients that look at the "
         "status alone. Clients that follow RFC 8894 take it for a broken server."},

    {"compat.update_req", SETTING_BOOL, AT(compat.update_req), .initial = "false",
     .help = "Take UpdateReq (18), which drafts before RFC 8894 had, for RenewalReq (17), and announce "
             "`Update`."},

    {"transaction.retransmit_window", SETTING_DURATION, AT(transaction.retransmit_window), MINUTE, 365 * DAY,
     "24h", .help = "A request that comes again within this time gets the same certificate again."},
    {"transaction.supersede", SETTING_BOOL, AT(transaction.supersede), .initial = "false",
     .help = "Another request with the same transaction id and key ends an unfinished one instead of being "
             "refused."},
    {"transaction.pending_expiry", SETTING_DURATION, AT(transaction.pending_expiry), MINUTE, 365 * DAY, "7d",
     .help = "An enrolment that nobody decided is refused after this time."},
};
const size_t schema_alias_count = COUNT(schema_alias);

#undef AT
#define AT(member) offsetof(struct pattern_rule, member)

const struct setting_row schema_rule[] = {
    {"required", SETTING_BOOL, AT(required), .help = "At least one must be there. Default: false."},
    {"forbidden", SETTING_BOOL, AT(forbidden), .help = "None may be there. Default: false."},
    {"patterns", SETTING_LIST, AT(patterns), 0, 1024, .check = form_pattern,
     .help = "Regular expressions (PCRE2); every value must match one of them as a whole. Default: anything "
             "goes."},
    {"max", SETTING_INT, AT(max_count), 0, 1024, .help = "How many there may be. Default: 0, no limit."},
};
const size_t schema_rule_count = COUNT(schema_rule);

const char *const schema_sections[] = {"backends", "defaults", "aliases", NULL};

/* Rows bound to an enum give its number by the order of their words. */
_Static_assert(CHALLENGE_ONE_TIME == 0 && CHALLENGE_STATIC == 1 && CHALLENGE_NONE == 2,
               "order of challenge.type");
_Static_assert(STORE_IN_SQLITE == 0 && STORE_IN_REDIS == 1, "order of store.type");
_Static_assert(TOPOLOGY_SINGLE == 0 && TOPOLOGY_SENTINEL == 1 && TOPOLOGY_CLUSTER == 2,
               "order of store.topology");
_Static_assert(RENEWAL_NAMES_SAME == 0 && RENEWAL_NAMES_POLICY == 2, "order of renewal.names");
_Static_assert(RENEWAL_CHALLENGE_IGNORED == 0 && RENEWAL_CHALLENGE_REQUIRED == 2,
               "order of renewal.challenge");
_Static_assert(RENEWAL_UNKNOWN_REFUSED == 0 && RENEWAL_UNKNOWN_ALLOWED == 2,
               "order of renewal.crl.when_unknown");
_Static_assert(LOG_LEVEL_DEBUG == 0 && LOG_LEVEL_ERROR == 3, "order of log.level");
_Static_assert(SCEP_CIPHERS_DEFAULT == 0xF && SCEP_CIPHER_AES128 == 1 && SCEP_CIPHER_DES3 == 8,
               "order of ciphers");
_Static_assert(SCEP_DIGESTS_DEFAULT == 0x1F && SCEP_DIGEST_SHA1 == 1 && SCEP_DIGEST_SHA512 == 16,
               "order of digests");
_Static_assert(REPLY_ISSUED == 0 && REPLY_ISSUER == 1 && REPLY_INTERMEDIATES == 2 && REPLY_ALL == 3,
               "order of reply.certificates");
_Static_assert(SCEP_EC_REPLY_PASSWORD == 1 && SCEP_EC_REPLY_AGREEMENT == 2, "order of reply.to_ec_signers");
_Static_assert(QUERY_NONE == 0 && QUERY_OWN == 1 && QUERY_ALIAS == 2, "order of queries.certificates");
_Static_assert(LOG_FORMAT_AUTO == 0 && LOG_FORMAT_JSON == 1 && LOG_FORMAT_TEXT == 2, "order of log.format");

const struct backend_rows *catalogue_find(const struct settings_catalogue *catalogue, const char *type)
{
    for (size_t i = 0; catalogue && i < catalogue->backend_count; i++) {
        if (strcmp(catalogue->backends[i].type, type) == 0)
            return &catalogue->backends[i];
    }
    return NULL;
}
