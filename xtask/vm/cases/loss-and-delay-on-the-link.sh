# shows: 5 % of the packets lost and 30 ms late: pictures go on to come, and none is damaged.
# machine: virt
# fb: virtio
# size: 320x240
# pictures: 320x240
# limit: 240
# fast: yes

pair
modprobe sch_netem
# By its path, for the shell has a `tc` of its own, which knows no netem. On loopback what is sent passes once in each direction.
/sbin/tc qdisc add dev lo root netem delay 30ms loss 5% || fail "tc gave $?"
plug_in
start_display
start_camera
says display "taking pictures"
goes_on exact

# The screen is read many times; whatever it shows must be whole, and pictures must be among it.
: >/run/seen
reads_sound() {
    sound
    echo "$ANSWER" >>/run/seen
    [ "$(grep -c frame /run/seen)" -ge 40 ]
}
comes_true "40 pictures were seen, and none was damaged" reads_sound
note "seen: $(sort /run/seen | uniq -c | tr '\n' ',')"
[ "$(grep -o 'frame [0-9]' /run/seen | sort -u | wc -l)" -ge 4 ] || fail "too few different pictures: $(sort -u /run/seen)"
/sbin/tc -s qdisc show dev lo | grep -q 'dropped [1-9]' || fail "nothing was lost on the way"
goes_on exact
