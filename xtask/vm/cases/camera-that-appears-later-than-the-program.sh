# shows: The camera's program runs before there is a camera, and takes it up when it is plugged in.
# machine: virt
# fb: virtio
# size: 320x240
# pictures: 320x240
# limit: 150
# fast: no

pair
test ! -e /dev/video0 || fail "there is a camera already"
start_display
start_camera
says camera "No camera is there: no /dev/video* exists."
says display "its camera is unplugged"
shows words
plug_in
says camera "$SIZE at 5 frames/s"
says display "taking pictures"
goes_on exact
