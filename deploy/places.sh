# Read by backup.sh and restore.sh: which database and which folder are meant.
#
# A process list shows the arguments of every program to everybody, so that no password may stand in one:
# `use_database URL` sets `address`, the URL without its password, and hands the password on as PGPASSWORD.

use_database() {
    address=$(split_url address "$1")
    password=$(split_url password "$1")
    # A URL without a password leaves what the environment says: PGPASSWORD, PGPASSFILE, ~/.pgpass.
    if [ -n "$password" ]; then
        export PGPASSWORD="$password"
    fi
}

# The URL reaches awk through its environment, which only its own account can read.
split_url() {
    wanted=$1 url=$2 LC_ALL=C awk '
        function decoded(text,    out) {
            while (match(text, /%[0-9A-Fa-f][0-9A-Fa-f]/)) {
                out = out substr(text, 1, RSTART - 1) sprintf("%c", hex(substr(text, RSTART + 1, 1)) * 16 \
                    + hex(substr(text, RSTART + 2, 1)))
                text = substr(text, RSTART + 3)
            }
            return out text
        }
        function hex(digit) { return index("0123456789abcdef", tolower(digit)) - 1 }
        BEGIN {
            url = ENVIRON["url"]
            sub(/^postgres(ql)?(\+[a-z0-9]+)?:\/\//, "", url)
            query = ""
            if (at = index(url, "?")) { query = substr(url, at + 1); url = substr(url, 1, at - 1) }
            path = ""
            if (at = index(url, "/")) { path = substr(url, at); url = substr(url, 1, at - 1) }
            user = ""
            while (at = index(url, "@")) { user = user substr(url, 1, at); url = substr(url, at + 1) }
            if (at = index(user, ":")) {
                password = decoded(substr(user, at + 1, length(user) - at - 1))
                user = substr(user, 1, at - 1) "@"
            }
            count = split(query, parameters, "&")
            query = ""
            for (i = 1; i <= count; i++) {
                if (parameters[i] ~ /^password=/) password = decoded(substr(parameters[i], 10))
                else query = query (query == "" ? "?" : "&") parameters[i]
            }
            printf "%s", ENVIRON["wanted"] == "password" ? password : "postgresql://" user url path query
        }'
}

# The archive as a folder of this machine; empty when it lies in an object store.
archive_folder() {
    case $1 in
        file://*) printf '%s' "${1#file://}" ;;
        *://*) ;;
        *) printf '%s' "$1" ;;
    esac
}
