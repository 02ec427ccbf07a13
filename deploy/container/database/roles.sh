#!/bin/sh
# Run once, in an empty database server: two roles of least rights (最小权限) and the ledger's database.
# The owner makes and moves the tables; the service only appends (docs/operations.md, "Roles on PostgreSQL").
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set owner_password="$(cat /run/secrets/owner_password)" \
    --set service_password="$(cat /run/secrets/service_password)" <<'SQL'
CREATE ROLE pinglian_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE pinglian_service LOGIN PASSWORD :'service_password';
CREATE DATABASE pinglian OWNER pinglian_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
REVOKE ALL ON DATABASE pinglian FROM PUBLIC;
GRANT CONNECT ON DATABASE pinglian TO pinglian_service;
\connect pinglian
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO pinglian_owner;
SQL
