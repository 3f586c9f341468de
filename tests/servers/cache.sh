# Sourced by the scripts beside it: where downloads live, and how a script gets its turn there.
# shellcheck shell=sh

cache=${TIDEGATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidegate}
mkdir -p "$cache"

# take_turn NAME: waits until no other script works on NAME; the turn ends with the calling script.
take_turn() {
    exec 9>"$cache/$1.lock"
    flock -n 9 || { echo "another installation of $1 is under way: waiting for it"; flock 9; }
}

# megabytes FOLDER: its size on disk, for people.
megabytes() { du -sm "$1" | awk '{print $1 " MiB"}'; }
