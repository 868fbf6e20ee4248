# PgBouncer in transaction mode before the server whose socket is in the directory $1, until the standard input ends. Prints the
# directory of its own socket once it is ready.
set -eu
cd /
PATH="$PATH:/usr/sbin:/usr/lib/postgresql/bin"
if ! command -v pgbouncer >/dev/null; then
    echo "none"
    exit 0
fi
directory=$(mktemp -d /tmp/clipia-pgbouncer.XXXXXX)
end() {
    trap '' EXIT INT TERM
    kill "$pooler" 2>/dev/null || true
    rm -rf "$directory"
}
cat >"$directory/pgbouncer.ini" <<INI
[databases]
* = host=$1 user=clipia
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = $directory
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 500
server_reset_query =
logfile = $directory/log
INI
pgbouncer -q "$directory/pgbouncer.ini" >/dev/null 2>&1 </dev/null &
pooler=$!
trap end EXIT INT TERM
for _ in $(seq 100); do
    [ -S "$directory/.s.PGSQL.6432" ] && break
    sleep 0.1
done
[ -S "$directory/.s.PGSQL.6432" ] || {
    cat "$directory/log" >&2
    exit 1
}
echo "$directory"
cat >/dev/null || true
