/* snapshot.h: the settings as the rooms read them: typed, checked, immutable, reference-counted.
 *
 * Two layers: one `struct gateway_settings`, and one `struct alias_settings` per alias, so that changing an
 * alias costs one. References may be taken and dropped on any thread. Texts are NUL-terminated and never NULL
 * unless said. Durations are milliseconds, sizes bytes. The rows that fill these structs are in schema.c.
 * What lists, rules, secrets and most texts point to belongs to `block` and the blocks behind it, which
 * aliases share.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/secret.h"

struct store_url; /* settings/store_url.h */

struct text_list {
    char **items;
    size_t count;
};

/* Where a secret comes from: exactly one is set. */
struct secret_source {
    char *file;          /* path, or NULL */
    char *env;           /* environment variable, or NULL */
    struct secret value; /* the secret itself once loaded; what `value:` gave or file and env held */
};

enum challenge_type { CHALLENGE_ONE_TIME, CHALLENGE_STATIC, CHALLENGE_NONE };
enum store_choice { STORE_IN_SQLITE, STORE_IN_REDIS };
enum topology_choice { TOPOLOGY_SINGLE, TOPOLOGY_SENTINEL, TOPOLOGY_CLUSTER };
enum ra_source { RA_FROM_BACKEND, RA_FROM_FILES, RA_FROM_CA };

struct challenge_settings {
    enum challenge_type type;    /* no default: an alias says it */
    struct secret_source secret; /* static */
    int64_t ttl;                 /* one_time: default life */
    int64_t max_ttl;
    int uses; /* one_time: default uses */
    bool release_on_rejection;
    int failure_limit; /* refused challenges per alias and per source address within the window; 0: no limit
                        */
    int64_t failure_window;
};

struct ra_successor_files {
    char *certificate, *key, *signing_certificate, *signing_key; /* PEM paths; "" for none */
};

struct ra_settings {
    enum ra_source from;
    char *backend;             /* RA_FROM_BACKEND: its name; empty: the alias' own */
    char *certificate;         /* RA_FROM_FILES: PEM path, chain allowed */
    char *key;                 /* RA_FROM_FILES: PEM path */
    char *signing_certificate; /* RA_FROM_FILES: a pair of its own that signs; "" for none */
    char *signing_key;
    struct ra_successor_files successor; /* RA_FROM_FILES: for the CA that the backend stages */
    bool separate_signing;               /* RA_FROM_BACKEND: one certificate to decrypt, one to sign */
    int key_bits;                        /* generated RSA key */
    int64_t lifetime;
    char *subject; /* RFC 2253 text; "{alias}" is replaced */
};

struct pattern_rule { /* a subject field or SAN kind, with patterns that every value must match (one of them)
                       */
    char *name;
    bool required;
    bool forbidden;
    struct text_list patterns; /* PCRE2, anchored at both ends; empty: anything */
    int max_count;             /* 0: no limit */
};

struct policy_settings {
    struct text_list key_types; /* "rsa", "ec", "ed25519" */
    int rsa_min_bits;
    int rsa_max_bits;
    struct text_list curves; /* "P-256" … */
    struct pattern_rule *subject_fields;
    size_t subject_field_count;
    bool other_subject_fields; /* fields that no rule names are allowed */
    struct pattern_rule *san_kinds;
    size_t san_kind_count;
    bool other_san_kinds;
    bool empty_subject;   /* allowed when there is a SAN */
    int64_t max_validity; /* 0: the backend's own */
};

enum reply_certificates { REPLY_ISSUED, REPLY_ISSUER, REPLY_INTERMEDIATES, REPLY_ALL };

struct reply_settings { /* of a SUCCESS */
    enum reply_certificates certificates;
    uint32_t to_ec_signers; /* enum scep_ec_reply */
    int password_iterations;
};

struct proxy_signer_settings {     /* clients that enrol on behalf of devices */
    struct text_list issuers;      /* PEM files of trusted issuers */
    struct text_list fingerprints; /* SHA-256 of signer certificates, hex */
};

enum renewal_names { RENEWAL_NAMES_SAME, RENEWAL_NAMES_SUBJECT, RENEWAL_NAMES_POLICY };
enum renewal_challenge { RENEWAL_CHALLENGE_IGNORED, RENEWAL_CHALLENGE_CHECKED, RENEWAL_CHALLENGE_REQUIRED };
enum renewal_unknown { RENEWAL_UNKNOWN_REFUSED, RENEWAL_UNKNOWN_PENDING, RENEWAL_UNKNOWN_ALLOWED };

struct renewal_settings {
    bool enabled;
    bool legacy;              /* a PKCSReq signed with a certificate of ours counts */
    struct text_list issuers; /* PEM files of further CAs */
    bool unrecorded;          /* certificates of the alias' own CA that this alias did not issue */
    int64_t grace;            /* after notAfter */
    int last_percent;         /* of the life; 0: no such window */
    int64_t last;             /* 0: no such window */
    bool one_at_a_time;
    bool same_key;
    enum renewal_names names;
    enum renewal_challenge challenge;
    struct text_list crl_files;
    struct text_list crl_urls;
    bool crl_from_backend;
    int64_t crl_refresh;
    enum renewal_unknown crl_unknown;
    int64_t crl_allow_for; /* RENEWAL_UNKNOWN_ALLOWED: after the revocation state became unknown */
};

enum query_certificates { QUERY_NONE, QUERY_OWN, QUERY_ALIAS };

struct query_settings { /* GetCert and GetCRL */
    enum query_certificates certificates;
    bool crl;
};

struct compat_settings {
    bool obsolete_des; /* compat.obsolete_algorithms: [des, md5] */
    bool obsolete_md5;
    bool fail_info_text;
    bool get_pki_operation;
    bool root_in_get_ca_cert;
    bool refused_challenge_as_401;
    bool update_req;
};

struct transaction_settings {
    int64_t retransmit_window;
    bool supersede;
    int64_t pending_expiry;
};

struct alias_settings {
    char *name; /* [A-Za-z0-9._-]{1,64}; compared without regard to case */
    char *tenant;
    char *backend;
    struct text_list hosts;
    struct text_list paths;
    uint32_t ciphers; /* enum scep_cipher; the obsolete ones only through compat */
    uint32_t digests; /* enum scep_digest */
    struct challenge_settings challenge;
    struct ra_settings ra;
    struct policy_settings policy;
    struct proxy_signer_settings proxy_signers;
    struct renewal_settings renewal;
    struct reply_settings reply;
    struct query_settings queries;
    struct compat_settings compat;
    struct transaction_settings transaction;
    char *origin;                /* "gateway.yaml:12:3", for messages */
    struct setting_block *block; /* parsed rows, for printing; owned */
    int references;
};

struct backend_settings {
    char *name;
    char *type; /* "local_ca" */
    char *origin;
    struct setting_block *block; /* the backend's own rows, read through setting_block_* (see block.h) */
};

struct listen_settings {
    struct text_list addresses; /* "127.0.0.1:8080", "[::1]:8080" */
};

struct limit_settings {
    int connections;
    int connections_per_address;
    int64_t request_deadline; /* headers and body together, from the first byte or the accept */
    int64_t reply_deadline;
    int64_t idle_deadline; /* between requests of a kept connection */
    size_t body;
    size_t headers;
    size_t uri;
};

struct worker_settings {
    int threads; /* 0: one per processor */
    int queue_per_alias;
    int queue_total;
};

struct enroll_settings {
    int64_t wait;             /* how long a client is held before it gets PENDING */
    int64_t backend_deadline; /* a submission without an answer counts as lost after that */
    int64_t lease;            /* of a submission; longer than backend_deadline */
    int64_t retry_after;      /* of 503 answers */
};

struct store_tls_settings { /* empty texts: none */
    bool enabled;
    char *ca;
    char *certificate;
    char *key;
    char *server_name;
};

/* Members after `master_key` are Redis'; what `store.url` says stands in them, too. */
struct store_settings {
    enum store_choice type;
    char *path;                      /* empty with Redis */
    struct secret_source master_key; /* unset: a file in the state folder, made at first start */
    enum topology_choice topology;
    struct text_list
        addresses; /* "host:port", "[::1]:6379", "/run/redis.sock"; of the sentinels with SENTINEL */
    char *master;  /* the name that the sentinels know */
    char *user;    /* empty: the default one */
    struct secret_source password;
    char *sentinel_user;
    struct secret_source sentinel_password;
    int database;
    struct store_tls_settings tls;
    char *prefix;
    int64_t connect_deadline;
    int64_t command_deadline;
    int queue;
    int wait_replicas;
    int64_t wait_deadline;
};

struct retention_settings {   /* how long each kind is kept; see docs/operations.md */
    int64_t unused_challenge; /* after it expired */
    int64_t used_challenge;   /* after its validity and the retransmit window */
    int64_t finished_transaction;
    int64_t certificate; /* after notAfter */
    int64_t audit;
};

struct publish_settings { /* revocation lists and CA certificates over HTTP */
    bool enabled;
    char *path;      /* of a URL, without slash at its end */
    int64_t max_age; /* that caches may keep what is published; ms */
};

struct log_settings {
    enum log_level level;
    enum log_format format;
};

struct gateway_settings {
    char *file;
    char *state; /* folder */
    struct listen_settings listen;
    struct listen_settings admin_listen; /* metrics and health; loopback addresses only */
    char *admin_socket;
    struct text_list admin_approvers;
    struct limit_settings limits;
    struct worker_settings worker;
    struct enroll_settings enroll;
    struct store_settings store;
    struct retention_settings retention;
    struct publish_settings publish;
    struct log_settings log;
    struct backend_settings *backends;
    size_t backend_count;
    struct alias_settings **aliases; /* each with a reference of this snapshot */
    size_t alias_count;
    struct setting_block *block;
    struct store_url *url;          /* what `store.url` says; NULL without it */
    struct setting_block *defaults; /* what aliases share; the end of the chain of every alias' block */
    int references;
};

struct gateway_settings *gateway_settings_ref(struct gateway_settings *s);
void gateway_settings_unref(struct gateway_settings *s); /* accepts NULL */
struct alias_settings *alias_settings_ref(struct alias_settings *s);
void alias_settings_unref(struct alias_settings *s); /* accepts NULL */
/* Reload: would an alias made of either behave the same? */
bool alias_settings_equal(const struct alias_settings *a, const struct alias_settings *b);
