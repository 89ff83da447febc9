# Sourced by the scripts beside this file: finds or builds the release server, starts it on a port that the system
# picks, and ends it with the script.
#
# start_server takes flags for the server. It sets $address to HOST:PORT, and $reports to a directory that exists.
# build_server only makes sure that the program $server exists. choose_one_page, called before it, selects the server of
# docs/one-page.rs; choose_deflate selects one with all features.

# PLAINSOCKET can be relative to the caller's folder, which the cd below leaves.
server=${PLAINSOCKET:+$(realpath -- "$PLAINSOCKET")}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target=${CARGO_TARGET_DIR:-target}
reports=$target/conformance
script=$(basename "$0")
server_log=$reports/$script-server.log
build=(--bin plainsocket)
built=$target/release
program=plainsocket
listen=(--listen 127.0.0.1:0)

choose_one_page() {
    build=(--example one-page)
    program=examples/one-page
    listen=(127.0.0.1:0)
    server_log=$reports/$script-one-page-server.log
}

# It is built in a folder of its own, so that neither build replaces the other.
choose_deflate() {
    build+=(--features deflate,redis --target-dir "$target/features")
    built=$target/features/release
}

die() {
    echo "$script: $*" >&2
    exit 1
}

build_server() {
    if [[ -z $server ]]; then
        cargo build --release "${build[@]}"
        server=$(realpath -- "$built/$program")
    fi
    [[ -x $server ]] || die "$server is not a program"
}

start_server() {
    build_server
    mkdir -p "$reports"

    local output line
    exec {output}< <(exec "$server" "${listen[@]}" "$@" 2>"$server_log")
    server_pid=$!
    trap stop_server EXIT

    IFS= read -r -t 10 -u "$output" line ||
        die "the server did not say within 10 s where it listens: $(<"$server_log")"
    [[ $line =~ listening\ on\ (127\.0\.0\.1:[0-9]+)$ ]] ||
        die "expected a line ending in 'listening on 127.0.0.1:PORT', got: $line"
    address=${BASH_REMATCH[1]}

    # A server whose standard output nobody reads blocks once the pipe is full.
    cat <&"$output" >>"$server_log" &
    exec {output}<&-
}

server_runs() {
    kill -0 "$server_pid" 2>/dev/null
}

stop_server() {
    kill "$server_pid" 2>/dev/null || return 0
    for _ in {1..50}; do
        server_runs || return 0
        sleep 0.1
    done
    echo "$script: the server did not end within 5 s of SIGTERM; killing it" >&2
    kill -KILL "$server_pid" 2>/dev/null || true
}
