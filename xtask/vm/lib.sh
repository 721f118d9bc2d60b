# What the cases are written with. Everything waits for a condition, never for a length of time, and has a bound.
#
# A case fails at the first thing that does not come about: the reason is told to the host, the logs are on its console.
# What is misspelt, and a command that fails, end it too (`set -eu`).

. /vm/settings

# However slow the machine, what takes longer than this many seconds does not happen.
PATIENCE=60

STATE=/vm/state
chmod 700 $STATE/display $STATE/camera
PICTURES=/vm/pictures
ANSWER=

# --- talking to the host -------------------------------------------------------------------------------------------

# Asks the host; its answer is in $ANSWER.
ask() {
    echo "@vm $*" >&3
    IFS= read -r ANSWER <&3
    case $ANSWER in "ok "*) ANSWER=${ANSWER#ok }; return 0 ;; *) ANSWER=${ANSWER#no }; return 1 ;; esac
}

note() { echo "[$(cut -d' ' -f1 /proc/uptime)] $*"; }

fail() {
    note "FAILED: $*"
    ask failed "$*"
    exit 1
}

# --- waiting -------------------------------------------------------------------------------------------------------

# comes_true WHAT COMMAND...: runs the command until it succeeds.
comes_true() {
    what=$1; shift
    end=$(($(uptime_seconds) + PATIENCE))
    until "$@"; do
        [ "$(uptime_seconds)" -lt $end ] || fail "$what did not come about within $PATIENCE s ($ANSWER)"
        usleep 100000
    done
    note "$what"
}

uptime_seconds() { cut -d. -f1 /proc/uptime; }

# says WHO WORDS: a line with these words comes in a program's log, after the line that was waited for last.
says() {
    ANSWER="its log ends: $(tail -n 1 "/log/$1" 2>/dev/null)"
    comes_true "$1 says: $2" said "$1" "$2"
}

said() {
    from=$(cat "/run/read-$1" 2>/dev/null || echo 0)
    line=$(tail -n +$((from + 1)) "/log/$1" 2>/dev/null | grep -n -m 1 -F -e "$2" | cut -d: -f1)
    [ -n "$line" ] && echo $((from + line)) >"/run/read-$1"
}

never_said() { ! grep -q -F -e "$2" "/log/$1" || fail "$1 said: $(grep -m 1 -F -e "$2" "/log/$1")"; }

# --- the screen ----------------------------------------------------------------------------------------------------

# shows exact|scaled|alarm|words: the screen does so, at last. In an alarm it is told that a picture is missing.
shows() { comes_true "the screen shows a picture ($1)" ask shows "$1"; FRAME=$ANSWER; }

# goes_on exact|scaled: pictures that differ from each other come, so what is seen is alive.
goes_on() {
    shows "$1"
    first=$FRAME
    comes_true "another picture than $first follows" shows_another "$1" "$first"
}

shows_another() { ask shows "$1" && [ "$ANSWER" != "$2" ]; }

# Text on the console, and the screen with it kept as NAME.
write_console() {
    printf '\033[2J\033[H' >/dev/tty1
    comes_true "the console is empty" ask screendump empty
    write_console_silently "$1"
    comes_true "the console's text is on the screen" differs_from empty
    ask screendump "$1"
    # Drivers that copy later what was painted may have had half of it.
    comes_true "the console's text stays as it is" stays "$1"
}

# The same text, while a picture is on the screen.
write_console_silently() {
    printf '\033[2J\033[H' >/dev/tty1
    for line in 1 2 3 4 5 6 7 8; do echo "Line $line of the console, as it was before: $1" >/dev/tty1; done
}

stays() {
    usleep 300000
    ask same "$1" && return
    ask screendump "$1"
    return 1
}

# sound: nothing damaged is on the screen now. It counts when it is seen three times, for a look can fall into the copying
# of a picture over words.
sound() {
    ask shows sound || ask shows sound || ask shows sound || fail "the screen shows something damaged: $ANSWER"
}

# console_keeps_quiet: nothing that is written to it is drawn over the words on the screen. A picture would hide it.
console_keeps_quiet() {
    for round in 1 2 3 4 5 6; do
        echo "Not to be seen." >/dev/tty1
        ask shows words || fail "the console's text is drawn over the display's words: $ANSWER"
    done
    note "the console keeps quiet ($round lines were written)"
}

# console_is_back NAME: the screen is as it was kept, and what is written to the console is seen again, which it would
# not be in graphics mode.
console_is_back() {
    comes_true "the console is on the screen again" ask same "$1"
    for line in 1 2 3; do echo "A line that was written afterwards." >/dev/tty1; done
    comes_true "what is written to the console is seen" differs_from "$1"
}

differs_from() { ! ask same "$1"; }

# --- two guests ----------------------------------------------------------------------------------------------------

# The cable to the other guest: this one's address is 10.9.0.$GUEST.
start_network() {
    modprobe -a $NIC_MODULES
    comes_true "there is a network card" test -e "/sys/class/net/$NIC"
    ip addr add "$ADDRESS" dev "$NIC"
    ip link set "$NIC" up
    other=10.9.0.$((3 - GUEST))
    comes_true "$other answers" answers "$other"
}

answers() { ping -c 1 -W 1 -q "$1" >/dev/null; }

# flag NAME: the other guest has come so far.
flag() { comes_true "the other guest says: $1" ask is-raised "$1"; }

# --- the programs --------------------------------------------------------------------------------------------------

# Every log is on the console too, as it grows.
start_log() {
    : >"/log/$1"
    rm -f "/run/read-$1"
    [ -e "/run/shown-$1" ] && return
    : >"/run/shown-$1"
    tail -F "/log/$1" 2>/dev/null | sed "s/^/  $1: /" 3>&- &
}

# Each side is told of the other, with what the other prints.
pair() {
    fingerprint=$(sealcam-server --state $STATE/display fingerprint 2>/dev/null | grep -o 'SHA256:[^ ]*') || fail "the display tells no fingerprint"
    identity=$(sealcam-client --state $STATE/camera identity --name porch 2>/dev/null | grep -o "scl1-camera [^']*") || fail "the camera tells no identity"
    sealcam-client --state $STATE/camera trust "${1:-127.0.0.1:5000}" "$fingerprint" 2>/log/trust || fail "trust: $(cat /log/trust)"
    sealcam-server --state $STATE/display authorize "$identity" 2>/log/trust || fail "authorize: $(cat /log/trust)"
    note "the two are paired"
}

# start_display [OPTIONS]: its number is in $DISPLAY_PID.
start_display() {
    start_log display
    sealcam-server --state $STATE/display --sink fb "$@" </dev/null >/dev/null 2>/log/display 3>&- &
    DISPLAY_PID=$!
}

# start_camera [OPTIONS]: the camera's program.
start_camera() {
    start_log camera
    sealcam-client --state $STATE/camera "$@" </dev/null >/dev/null 2>/log/camera 3>&- &
    CAMERA_PID=$!
}

# ends PID WHO STATUS: it ends by itself or has been told to, with this status.
ends() {
    ANSWER="it runs"
    comes_true "$2 has ended" is_gone "$1"
    status=0
    wait "$1" || status=$?
    [ $status = "$3" ] || fail "$2 ended with status $status instead of $3"
}

# A child that has ended is still there, as a zombie, until it is waited for.
is_gone() { ! grep -q '^State:.[^Z]' "/proc/$1/status" 2>/dev/null; }

# is_confined PID CAPABILITIES: none of its threads can gain rights, each has a filter for system calls, and no capabilities
# but these (as /proc writes them).
is_confined() {
    ANSWER="see /proc/$1/task"
    comes_true "all threads of process $1 are confined" confined_so "$@"
}

confined_so() {
    for thread in /proc/"$1"/task/*; do
        for line in "NoNewPrivs:.1" "Seccomp:.2"; do grep -q "^$line" "$thread/status" || return 1; done
        permitted=$(sed -n 's/^CapPrm:.//p' "$thread/status")
        [ "$permitted" = 0000000000000000 ] || [ "$permitted" = "$2" ] || return 1
    done
}

stop() { kill -TERM "$1"; ends "$1" "$2" 0; }

# is_locked PID WHO: its memory stays out of the swap, all of it, as root may have it.
is_locked() {
    locked=$(kilobytes "$1" VmLck) resident=$(kilobytes "$1" VmRSS)
    [ "$locked" -ge "$resident" ] || fail "$2 has locked $locked kB and takes $resident kB"
    note "$2 has locked $locked kB and takes $resident kB"
}

kilobytes() { sed -n "s/^$2:[^0-9]*\([0-9]*\) kB/\1/p" "/proc/$1/status"; }

# --- the USB camera ------------------------------------------------------------------------------------------------

# plug_in [OPTIONS of usb-camera]: waits until Linux has made a device of it.
plug_in() {
    modprobe -a vhci-hcd uvcvideo
    start_log usb
    usb-camera --fps 5 "$@" $PICTURES >/log/usb 2>&1 3>&- &
    USB_PID=$!
    comes_true "the camera is plugged in" test -c /dev/video0
}

unplug() {
    kill "$USB_PID"
    comes_true "the camera is gone" test ! -e /dev/video0
}
