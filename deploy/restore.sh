#!/bin/sh
# Restores what backup.sh wrote: restore.sh FOLDER, with KOLLENO_DATABASE_URL and KOLLENO_ARCHIVE set. Kolleno is stopped.
#
# The archive comes first, then the database: at no moment does the database name a file that is not there.
# The database must exist and be empty, and so must Dagster's, which is restored too where
# KOLLENO_DAGSTER_DATABASE_URL is set and the backup has it. Afterwards start kolleno: files that came after the backup
# still lie on the server and are taken again by themselves (with archive_folder set, move them back first).
set -eu
umask 077
. "$(dirname "$0")/places.sh"

folder=${1:?usage: restore.sh FOLDER}
: "${KOLLENO_DATABASE_URL:?must be set}" "${KOLLENO_ARCHIVE:?must be set}"
dagster=${KOLLENO_DAGSTER_DATABASE_URL:-}
if [ ! -e "$folder/dagster.dump" ]; then
    dagster=
fi

require_empty() (
    use_database "$1"
    tables=$(psql --no-psqlrc --quiet --tuples-only --no-align --dbname="$address" --command="
        SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")
    if [ "$tables" != 0 ]; then
        echo "$2 is not empty ($tables tables): restore into a new one, and keep the old one for a look." >&2
        exit 1
    fi
)
restore() (
    use_database "$1"
    pg_restore --exit-on-error --single-transaction --no-owner --no-acl --dbname="$address" "$folder/$2"
)

require_empty "$KOLLENO_DATABASE_URL" "The database"
if [ -n "$dagster" ]; then
    require_empty "$dagster" "Dagster's database"
fi

archive=$(archive_folder "$KOLLENO_ARCHIVE")
if [ -n "$archive" ]; then
    mkdir -p "$archive"
    cp -Rp "$folder/archive/." "$archive/"
else
    echo "The archive is in an object store and was not in the backup: see that it holds every file." >&2
fi
if [ -n "$dagster" ]; then
    restore "$dagster" dagster.dump
fi
restore "$KOLLENO_DATABASE_URL" kolleno.dump
echo "Restored. Grants to analysts are given again with: kolleno db grant-analyst ROLE"
