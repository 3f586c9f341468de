# Sourced by the scripts beside it, after cache.sh: where each server is, and how it is called.
# shellcheck shell=sh

# locate KIND: sets mysqld (the program), share (its messages and SQL) and plugins; exit 3 if it is not there.
locate() {
    plugins=
    case $1 in
    mariadb10.11)
        mysqld=/usr/sbin/mariadbd share=/usr/share/mysql
        ;;
    mariadb11)
        tree=$cache/mariadb11/root
        mysqld=$cache/mariadb11/bin/mariadbd share=$tree/usr/share/mariadb plugins=$tree/usr/lib/mysql/plugin
        ;;
    mysql9)
        tree=$cache/mysql9/root
        mysqld=$cache/mysql9/bin/mysqld share=$tree/usr/share/mysql plugins=$tree/usr/lib/mysql/plugin
        ;;
    mysql56)
        mysqld=$cache/mysql56/bin/mysqld share=$cache/mysql56/share
        ;;
    *)
        echo "no such server: $1" >&2
        exit 2
        ;;
    esac
    [ -x "$mysqld" ] || {
        echo "$1 is not installed ($mysqld is missing): run make deps" >&2
        exit 3
    }
}

# exec_mysqld ARGS: becomes the located server, on the folder $data, with nothing of the machine's own
# configuration: small, and without fsync.
exec_mysqld() {
    set -- --no-defaults --datadir="$data" --lc-messages-dir="$share" --character-sets-dir="$share/charsets" \
        --tmpdir="$data" --innodb-buffer-pool-size=32M --innodb-flush-log-at-trx-commit=0 "$@"
    [ -z "$plugins" ] || set -- "$@" --plugin-dir="$plugins"
    [ "$(id -u)" != 0 ] || set -- "$@" --user=root
    case $mysqld in
    */mysql9/*) set -- "$@" --innodb-redo-log-capacity=32M ;;
    *) set -- "$@" --innodb-log-file-size=16M ;;
    esac
    exec "$mysqld" "$@"
}
