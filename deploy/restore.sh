#!/bin/sh
# Restores what backup.sh wrote: restore.sh FOLDER, with KOLLENO_DATABASE_URL and KOLLENO_ARCHIVE set. Kolleno is stopped.
#
# The archive comes first, then the database: at no moment does the database name a file that is not there.
# The database must exist and be empty. Afterwards start kolleno: files that came after the backup still lie on the
# server and are taken again by themselves (with archive_folder set, move them back into the drop folder first).
set -eu
umask 077

folder=${1:?usage: restore.sh FOLDER}
: "${KOLLENO_DATABASE_URL:?must be set}" "${KOLLENO_ARCHIVE:?must be set}"

tables=$(psql --no-psqlrc --quiet --tuples-only --no-align --dbname="$KOLLENO_DATABASE_URL" --command="
    SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")
if [ "$tables" != 0 ]; then
    echo "The database is not empty ($tables tables): restore into a new one, and keep the old one for a look." >&2
    exit 1
fi

mkdir -p "$KOLLENO_ARCHIVE"
cp -Rp "$folder/archive/." "$KOLLENO_ARCHIVE/"

pg_restore --exit-on-error --single-transaction --no-owner --no-acl --dbname="$KOLLENO_DATABASE_URL" "$folder/kolleno.dump"
echo "Restored. Grants to analysts are given again with: kolleno db grant-analyst ROLE"
