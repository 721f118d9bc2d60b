# shows: Both programs run as an ordinary user in the group video, confined. An unplugged camera, a changed list and a display that moves are still taken up.
# machine: virt
# fb: virtio
# size: 320x240
# pictures: 320x240
# limit: 240
# fast: yes

USER=1000 VIDEO=44

# video_may PATH: as udev does it on Debian.
video_may() {
    chgrp $VIDEO "$1"
    chmod 660 "$1"
}

# as_user WHO PROGRAM OPTIONS...: starts it in the background; its number is in $!.
as_user() {
    start_log "$1"
    log=/log/$1 program=$(which "$2"); shift 2
    start-stop-daemon -S -c $USER:$VIDEO -x "$program" -- "$@" </dev/null >/dev/null 2>"$log" 3>&- &
}

display_at() {
    as_user display sealcam-server --state $STATE/display --sink fb --listen "127.0.0.1:$1"
    DISPLAY_PID=$!
}

mkdir -p /etc
echo "camera:x:$USER:$VIDEO::/:/bin/sh" >/etc/passwd
echo "video:x:$VIDEO:" >/etc/group
echo "127.0.0.1 display.lan" >/etc/hosts
pair
chown -R $USER $STATE/display $STATE/camera
video_may /dev/fb0
# Who may not switch the console has its cursor over the picture.
printf '\033[?25l' >/dev/tty1
plug_in
video_may /dev/video0

display_at 5000
as_user camera sealcam-client --state $STATE/camera
CAMERA_PID=$!
says camera "Confined: files by Landlock; system calls by seccomp."
says display "Confined: files by Landlock; system calls by seccomp."
says display "taking pictures"
goes_on exact
for pid in $DISPLAY_PID $CAMERA_PID; do
    [ "$(sed -n 's/^Uid:.\([0-9]*\).*/\1/p' /proc/"$pid"/status)" = $USER ] || fail "process $pid is not the user's"
    is_confined "$pid" 0000000000000000
done

note "the camera is unplugged"
unplug
says camera "No camera is there"
shows alarm
plug_in
says camera "may not be opened by this user"
video_may /dev/video0
says display "taking pictures"
goes_on exact

note "the camera is struck off the list"
sealcam-server --state $STATE/display forget porch 2>/log/forget || fail "forget: $(cat /log/forget)"
says display "no longer authorized"
shows words

note "the display moves, and the camera is told its name"
stop $DISPLAY_PID "the display"
pair display.lan:5001
display_at 5001
says camera "is now display.lan:5001"
says display "taking pictures"
goes_on exact
stop $CAMERA_PID "the camera's program"
stop $DISPLAY_PID "the display"
