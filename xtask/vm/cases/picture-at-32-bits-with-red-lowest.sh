# shows: The picture with 32 bits whose lowest byte is red and not blue.
# machine: raspi3b
# fb: pi32bgr
# size: 320x240
# pictures: 320x240
# limit: 150
# fast: no

pair
plug_in
start_display
start_camera
says display "Pictures go to /dev/fb0 ($SIZE, $DEPTH bits per pixel)"
says display "taking pictures"
goes_on exact
