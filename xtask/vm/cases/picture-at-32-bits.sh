# shows: The camera's picture with 32 bits a pixel, as it was taken, and the next one after it.
# machine: virt
# fb: virtio
# size: 640x480
# pictures: 640x480
# limit: 120
# fast: yes

pair
plug_in
start_display
start_camera
says display "Pictures go to /dev/fb0 ($SIZE, $DEPTH bits per pixel)"
says display "taking pictures"
goes_on exact
is_locked $DISPLAY_PID display
is_locked $CAMERA_PID camera
