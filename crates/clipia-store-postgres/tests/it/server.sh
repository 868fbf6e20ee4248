# A PostgreSQL server in a temporary directory, until the standard input ends: that is when the tests end, whichever way.
# Prints the directory once the server is ready. PostgreSQL refuses to run as root: the tests run this as another user then.
set -eu
cd /
binaries=$(ls -d /usr/lib/postgresql/*/bin /usr/local/pgsql/bin /opt/homebrew/opt/postgresql@*/bin 2>/dev/null | sort -V | tail -n 1)
PATH="$binaries:$PATH"
if ! command -v initdb >/dev/null; then
    echo "none"
    exit 0
fi
directory=$(mktemp -d /tmp/clipia-postgres.XXXXXX)
end() {
    trap '' EXIT INT TERM
    pg_ctl -D "$directory/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$directory"
}
trap end EXIT INT TERM
initdb -D "$directory/data" --auth=trust --username=clipia --encoding=UTF8 --no-locale --no-sync >"$directory/initdb.log" 2>&1 || {
    cat "$directory/initdb.log" >&2
    exit 1
}
pg_ctl -D "$directory/data" -l "$directory/server.log" -w -t 60 start \
    -o "-c fsync=on -c listen_addresses='' -c unix_socket_directories='$directory' -c max_connections=200 -c shared_buffers=64MB -c max_prepared_transactions=2 -c wal_level=logical" \
    >/dev/null 2>&1 </dev/null || {
    cat "$directory/server.log" >&2
    exit 1
}
echo "$directory"
cat >/dev/null || true
