#!/bin/sh
# Runs the daemon of one deployment, unless one runs already. It holds the lock that `kolleno dev` holds, so that neither
# starts beside the other; the lock ends with the process. What kolleno-daemon.service starts.
set -eu
bin=${KOLLENO_BIN:-$(dirname "$0")/../.venv/bin}

# Writes dagster.yaml and workspace.yaml, migrates the database, and names the instance.
settings=$("$bin/kolleno" env)
eval "$settings"

exec 9>>"$DAGSTER_HOME/dev.lock"
if ! flock --nonblock 9; then
    echo "A daemon of $DAGSTER_HOME runs already (process $(cat "$DAGSTER_HOME/dev.lock")); there is one for each home." >&2
    exit 1
fi
printf %s "$$" >"$DAGSTER_HOME/dev.lock"
exec "$bin/dagster-daemon" run -w "$DAGSTER_HOME/workspace.yaml"
