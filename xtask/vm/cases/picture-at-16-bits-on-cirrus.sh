# shows: The picture with 16 bits behind Linux's graphics drivers (DRM), which copy later what was painted.
# machine: virt
# fb: cirrus
# size: 640x480
# pictures: 640x480
# limit: 120
# fast: no

pair
plug_in
start_display
start_camera
says display "Pictures go to /dev/fb0 ($SIZE, $DEPTH bits per pixel)"
says display "taking pictures"
goes_on exact
