-- Only what SQLite and PostgreSQL both understand. Times are unix milliseconds,
-- 0 meaning "never"; truth values are 0 and 1; sets are JSON arrays.

-- +goose Up
CREATE TABLE registrations (
    client_id     TEXT   NOT NULL PRIMARY KEY,
    resource      TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    redirect_uris TEXT   NOT NULL,
    grant_types   TEXT   NOT NULL,
    auth_method   TEXT   NOT NULL,
    secret_hash   TEXT   NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE TABLE codes (
    code_hash         TEXT   NOT NULL PRIMARY KEY,
    redirect_uri      TEXT   NOT NULL,
    redirect_uri_sent BIGINT NOT NULL,
    challenge         TEXT   NOT NULL,
    expires_at        BIGINT NOT NULL,
    spent_at          BIGINT NOT NULL DEFAULT 0,
    -- The grant that a redemption creates, column for column.
    grant_id          TEXT   NOT NULL,
    client_id         TEXT   NOT NULL,
    resource          TEXT   NOT NULL,
    issuer            TEXT   NOT NULL,
    scope             TEXT   NOT NULL,
    created_at        BIGINT NOT NULL,
    refreshable       BIGINT NOT NULL,
    generation        BIGINT NOT NULL,
    idle_expires_at   BIGINT NOT NULL,
    max_expires_at    BIGINT NOT NULL,
    user_subject      TEXT   NOT NULL,
    user_email        TEXT   NOT NULL,
    user_organization TEXT   NOT NULL,
    user_groups       TEXT   NOT NULL,
    user_provider     TEXT   NOT NULL,
    user_auth_time    BIGINT NOT NULL
);
CREATE INDEX codes_expiry ON codes (expires_at);

CREATE TABLE grants (
    grant_id          TEXT   NOT NULL PRIMARY KEY,
    client_id         TEXT   NOT NULL,
    resource          TEXT   NOT NULL,
    issuer            TEXT   NOT NULL,
    scope             TEXT   NOT NULL,
    created_at        BIGINT NOT NULL,
    refreshable       BIGINT NOT NULL,
    generation        BIGINT NOT NULL,
    idle_expires_at   BIGINT NOT NULL,
    max_expires_at    BIGINT NOT NULL,
    user_subject      TEXT   NOT NULL,
    user_email        TEXT   NOT NULL,
    user_organization TEXT   NOT NULL,
    user_groups       TEXT   NOT NULL,
    user_provider     TEXT   NOT NULL,
    user_auth_time    BIGINT NOT NULL,
    rotated_at        BIGINT NOT NULL DEFAULT 0,
    revoked_at        BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX grants_max_expiry ON grants (max_expires_at);
CREATE INDEX grants_idle_expiry ON grants (idle_expires_at) WHERE refreshable = 1;
CREATE INDEX grants_revocation ON grants (revoked_at) WHERE revoked_at > 0;
