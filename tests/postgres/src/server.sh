# A PostgreSQL server in a temporary directory, until the standard input ends: that is when the tests end, whichever way. The arguments
# are settings. Prints the directory once the server is ready. Each line of the input is a way to stop the server (`fast`, `immediate`):
# it is started again, and "ready" is printed. PostgreSQL refuses to run as root: the tests run this as another user then.
set -eu
cd /
# Of the user's own server.
unset PGHOST PGPORT PGUSER PGDATABASE PGDATA
# Whoever names a version in `PATH` tests that one.
binaries=$(ls -d /usr/lib/postgresql/*/bin /usr/local/pgsql/bin /opt/homebrew/opt/postgresql@*/bin 2>/dev/null | sort -V | tail -n 1)
PATH="$PATH:$binaries"
if ! command -v initdb >/dev/null; then
    echo "none"
    exit 0
fi
# In memory where there is room, but for a server that flushes to a disk: a test makes and removes a database of 400 files, and a file
# system needs longer for these than the test for its own work.
place=/tmp
case "$*" in
*'fsync = on'*) ;;
*)
    room=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
    if [ "${room:-0}" -gt 4000000 ] && [ -w /dev/shm ]; then place=/dev/shm; fi
    ;;
esac
directory=$(mktemp -d "$place/clipia-postgres.XXXXXX")
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
{
    echo "listen_addresses = ''"
    echo "unix_socket_directories = '$directory'"
    echo "max_connections = 200"
    echo "shared_buffers = 64MB"
    echo "max_wal_size = 128MB"
    # Each database that is removed would flush all of its files. A PostgreSQL that is killed keeps what it has written; the power of the
    # machine does not fail here.
    echo "fsync = off"
    for setting in "$@"; do
        echo "$setting"
    done
} >>"$directory/data/postgresql.conf"
start() {
    pg_ctl -D "$directory/data" -l "$directory/server.log" -w -t 60 start >/dev/null 2>&1 </dev/null || {
        cat "$directory/server.log" >&2
        exit 1
    }
}
start
echo "$directory"
while read -r way; do
    pg_ctl -D "$directory/data" -m "$way" -w -t 60 stop >/dev/null 2>&1 </dev/null || true
    start
    echo "ready"
done
