#!/usr/bin/env bash
# A picture of the example Pong: one player headless, the other in a window under Xvfb with Mesa's software renderer.
#   run_screenshot.sh FOLDER GODOT ADDON POLLRTC OUTPUT
# FOLDER: a root with Godot, Xvfb and Mesa, entered in a mount namespace of its own; as root, therefore.
set -euo pipefail
folder=$1 godot=$2 addon=$3 program=$4 output=$5
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
mine=()
trap '((${#mine[@]})) && kill "${mine[@]}" 2>/dev/null; rm -rf -- "$work"' EXIT

project=$work/project
cp -r "$here/../../examples/godot" "$project"
mkdir -p "$project/addons" "$project/.godot"
cp -r "$addon" "$project/addons/pollrtc"
echo 'res://addons/pollrtc/pollrtc.gdextension' >"$project/.godot/extension_list.cfg"
cp "$here/screenshot.gd" "$project/"
sed 's/pong\.gd/screenshot.gd/' "$project/pong.tscn" >"$project/screenshot.tscn"

# first_match FILE PATTERN: waits for it, 20 s at the most.
first_match() {
  local i
  for ((i = 0; i < 200; ++i)); do
    grep -oPm1 "$2" "$1" && return
    sleep 0.1
  done
  echo "no $2 in $1" >&2
  return 1
}

"$program" serve --port 0 >"$work/serve.log" & mine+=($!)
url=$(first_match "$work/serve.log" 'ws://[^"]+')
HOME=$work "$godot" --headless --path "$project" -- "$url" --demo >"$work/host.log" 2>&1 & mine+=($!)
lobby=$(first_match "$work/host.log" '^lobby \K\w+')

for link in bin lib lib64 sbin; do [[ -e $folder/$link ]] || ln -s "usr/$link" "$folder/$link"; done
mkdir -p "$folder"/{proc,dev,tmp,project}
rm -rf -- "$folder"/tmp/* "$folder"/tmp/.X*
mkfifo "$folder/tmp/display"
cat >"$folder/tmp/window.sh" <<WINDOW
export HOME=/tmp XDG_RUNTIME_DIR=/tmp LIBGL_ALWAYS_SOFTWARE=1
Xvfb -displayfd 3 -screen 0 900x600x24 -nolisten tcp 3>/tmp/display >/tmp/xvfb.log 2>&1 &
read -r display </tmp/display
DISPLAY=:\$display exec godot --path /project --rendering-driver opengl3 --audio-driver Dummy --resolution 800x500 \\
  res://screenshot.tscn -- $url $lobby --demo
WINDOW
# shellcheck disable=SC2016  # $0 and $1 are of the inner shell
timeout 180 unshare --mount --pid --fork --kill-child bash -euc '
  mount --bind /dev "$0/dev"; mount -t proc proc "$0/proc"; mount --bind "$1" "$0/project"
  exec chroot "$0" /bin/sh /tmp/window.sh' "$folder" "$project" >"$work/window.log" 2>&1 || { cat "$work/window.log" >&2; exit 1; }
[[ -s $folder/tmp/pong.png ]] || { cat "$work/window.log" >&2; exit 1; }
cp "$folder/tmp/pong.png" "$output"
echo "took $output"
