-- As before: only what SQLite and PostgreSQL both understand. Buckets alone count
-- in microseconds.

-- +goose Up
-- What replicas have to do one after another takes a row of this: whoever has
-- changed it holds it until the commit.
CREATE TABLE sequences (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO sequences (name, value) VALUES ('revocations', 0);
INSERT INTO sequences (name, value) VALUES ('registrations', 0);

ALTER TABLE registrations ADD COLUMN jwks TEXT NOT NULL DEFAULT '';
ALTER TABLE registrations ADD COLUMN jwks_uri TEXT NOT NULL DEFAULT '';
ALTER TABLE registrations ADD COLUMN require_pushed_requests BIGINT NOT NULL DEFAULT 0;
ALTER TABLE registrations ADD COLUMN require_dpop BIGINT NOT NULL DEFAULT 0;
ALTER TABLE registrations ADD COLUMN token_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE registrations ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;
-- Nobody knows of the registrations so far whether they were used: they count as used.
ALTER TABLE registrations ADD COLUMN used BIGINT NOT NULL DEFAULT 1;
CREATE INDEX registrations_resource ON registrations (resource, used, created_at);
CREATE INDEX registrations_unused ON registrations (created_at) WHERE used = 0;
CREATE INDEX registrations_expiry ON registrations (expires_at) WHERE expires_at > 0;

ALTER TABLE codes RENAME COLUMN resource TO resources;
ALTER TABLE codes ADD COLUMN nonce TEXT NOT NULL DEFAULT '';
ALTER TABLE codes ADD COLUMN dpop_jkt TEXT NOT NULL DEFAULT '';
ALTER TABLE codes ADD COLUMN user_acr TEXT NOT NULL DEFAULT '';
UPDATE codes SET resources = '["' || replace(replace(resources, '\', '\\'), '"', '\"') || '"]';

ALTER TABLE grants RENAME COLUMN resource TO resources;
ALTER TABLE grants ADD COLUMN user_acr TEXT NOT NULL DEFAULT '';
-- When cleaning looks at the grant next, never after it may be deleted for its own
-- end. It is the one index of all ends, and a rotation leaves it alone.
ALTER TABLE grants ADD COLUMN sweep_at BIGINT NOT NULL DEFAULT 0;
UPDATE grants SET resources = '["' || replace(replace(resources, '\', '\\'), '"', '\"') || '"]';
DROP INDEX grants_max_expiry;
DROP INDEX grants_idle_expiry;
DROP INDEX grants_revocation;
CREATE INDEX grants_sweep ON grants (sweep_at);
CREATE INDEX grants_user ON grants (user_subject, created_at);
CREATE INDEX grants_client ON grants (client_id);
CREATE INDEX codes_user ON codes (user_subject, client_id);

CREATE TABLE revocations (
    sequence   BIGINT NOT NULL PRIMARY KEY,
    id         TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revocations_id ON revocations (id);
CREATE INDEX revocations_expiry ON revocations (expires_at);

CREATE TABLE pushed_requests (
    request_hash TEXT   NOT NULL PRIMARY KEY,
    client_id    TEXT   NOT NULL,
    issuer       TEXT   NOT NULL,
    parameters   TEXT   NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX pushed_requests_expiry ON pushed_requests (expires_at);

CREATE TABLE sessions (
    session_hash      TEXT   NOT NULL PRIMARY KEY,
    created_at        BIGINT NOT NULL,
    expires_at        BIGINT NOT NULL,
    user_subject      TEXT   NOT NULL,
    user_email        TEXT   NOT NULL,
    user_organization TEXT   NOT NULL,
    user_groups       TEXT   NOT NULL,
    user_provider     TEXT   NOT NULL,
    user_auth_time    BIGINT NOT NULL,
    user_acr          TEXT   NOT NULL
);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE consents (
    user_subject  TEXT   NOT NULL,
    client_id     TEXT   NOT NULL,
    resource      TEXT   NOT NULL,
    redirect_host TEXT   NOT NULL,
    scope         TEXT   NOT NULL,
    given_at      BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    PRIMARY KEY (user_subject, client_id, resource, redirect_host)
);
CREATE INDEX consents_expiry ON consents (expires_at);

CREATE TABLE used_keys (
    key_hash   TEXT   NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX used_keys_expiry ON used_keys (expires_at);

CREATE TABLE buckets (
    key_hash TEXT   NOT NULL PRIMARY KEY,
    full_at  BIGINT NOT NULL
);
CREATE INDEX buckets_full ON buckets (full_at);
