# shows: A camera that sends its pictures in bulk transfers instead of isochronous ones.
# machine: virt
# fb: virtio
# size: 640x480
# pictures: 640x480
# limit: 120
# fast: no

pair
plug_in --bulk
start_display
start_camera
says display "taking pictures"
goes_on exact
