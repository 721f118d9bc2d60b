# shows: The picture with 24 bits: three bytes a pixel.
# machine: raspi3b
# fb: pi24
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
