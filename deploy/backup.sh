#!/bin/sh
# Backs up one deployment into a folder: backup.sh FOLDER, with KOLLENO_DATABASE_URL and KOLLENO_ARCHIVE set.
#
# The database comes first: the archive only grows and a file is in it before the database names it, so an archive that
# is copied after the dump holds everything that the dump refers to. Nothing has to be stopped for it.
# Dagster's own database holds only run history; it is dumped too where KOLLENO_DAGSTER_DATABASE_URL is set.
# An archive in an object store is not copied: its own versioning keeps it.
set -eu
umask 077
. "$(dirname "$0")/places.sh"

folder=${1:?usage: backup.sh FOLDER}
: "${KOLLENO_DATABASE_URL:?must be set}" "${KOLLENO_ARCHIVE:?must be set}"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

dump() (
    # Under another name until it is whole: a backup that was cut off never replaces a good one.
    use_database "$1"
    pg_dump --format=custom --no-owner --no-acl --file="$folder/.$2.part" --dbname="$address"
    mv -f "$folder/.$2.part" "$folder/$2"
)
dump "$KOLLENO_DATABASE_URL" kolleno.dump
if [ -n "${KOLLENO_DAGSTER_DATABASE_URL:-}" ]; then
    dump "$KOLLENO_DAGSTER_DATABASE_URL" dagster.dump
fi

archive=$(archive_folder "$KOLLENO_ARCHIVE")
if [ -z "$archive" ]; then
    echo "The archive is in an object store and is not copied: its own versioning must keep it." >&2
    exit 0
fi
# Files of the archive never change, so that only new ones are copied; .incoming holds unfinished ones.
mkdir -p "$folder/archive"
cd "$archive"
find . -name .incoming -prune -o -type f -print | while IFS= read -r file; do
    if [ ! -e "$folder/archive/$file" ]; then
        mkdir -p "$folder/archive/$(dirname "$file")"
        cp -p "$file" "$folder/archive/$file.part"
        mv -f "$folder/archive/$file.part" "$folder/archive/$file"
    fi
done
