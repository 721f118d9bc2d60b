# shows: A camera that sends its pictures in bulk transfers instead of isochronous ones.
# machine: virt
# fb: virtio
# size: 320x240
# pictures: 320x240
# limit: 120
# fast: no

pair
plug_in --bulk
grep -q Bulk /sys/bus/usb/devices/*:1.1/ep_81/type || fail "Linux knows no bulk endpoint of the camera"
start_display
start_camera
says display "taking pictures"
goes_on exact
